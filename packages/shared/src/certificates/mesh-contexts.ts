/** The TLS context of one certificate, made anew when the roots beside its own change. */
import type { SecureContext } from 'node:tls';
import { createMeshContext } from '../tls/mesh-context.ts';
import type { MeshCredentials } from '../tls/mesh-context.ts';

type Made = {
  readonly context: SecureContext;
  readonly roots: readonly string[];
  /** The file's roots that it was made with. */
  readonly further: readonly string[] | undefined;
};

export class MeshContexts {
  readonly #credentials: MeshCredentials;
  readonly #trust: { readonly roots: readonly string[] } | undefined;
  #made: Made;

  /** Throws as `createMeshContext` does. */
  constructor(credentials: MeshCredentials, trust?: { readonly roots: readonly string[] }) {
    this.#credentials = credentials;
    this.#trust = trust;
    this.#made = this.#make();
  }

  /** PEM, the certificate's own roots first. */
  get roots(): readonly string[] {
    return this.#fresh().roots;
  }

  get current(): SecureContext {
    return this.#fresh().context;
  }

  #fresh(): Made {
    if (this.#made.further !== this.#trust?.roots) this.#made = this.#make();
    return this.#made;
  }

  #make(): Made {
    const further = this.#trust?.roots;
    const roots = [...new Set([...this.#credentials.roots, ...(further ?? [])])];
    return { context: createMeshContext({ ...this.#credentials, roots }), roots, further };
  }
}
