/** The TLS context of one certificate, made anew when the roots beside its own change. */
import type { SecureContext } from 'node:tls';
import { createMeshContext } from '../tls/mesh-context.ts';
import type { MeshCredentials } from '../tls/mesh-context.ts';
import type { TlsPolicy } from '../tls/tls-policy.ts';

type Made = {
  readonly context: SecureContext;
  readonly roots: readonly string[];
  /** The file's roots that it was made with. */
  readonly further: readonly string[] | undefined;
};

export type ContextUse = {
  /** Further roots. @default none */
  readonly trust?: { readonly roots: readonly string[] } | undefined;
  readonly tls?: TlsPolicy | undefined;
};

export class MeshContexts {
  readonly #credentials: MeshCredentials;
  readonly #use: ContextUse;
  #made: Made;

  /** Throws as `createMeshContext` does. */
  constructor(credentials: MeshCredentials, use: ContextUse = {}) {
    this.#credentials = credentials;
    this.#use = use;
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
    if (this.#made.further !== this.#use.trust?.roots) this.#made = this.#make();
    return this.#made;
  }

  #make(): Made {
    const further = this.#use.trust?.roots;
    const roots = [...new Set([...this.#credentials.roots, ...(further ?? [])])];
    return { context: createMeshContext({ ...this.#credentials, roots }, this.#use.tls), roots, further };
  }
}
