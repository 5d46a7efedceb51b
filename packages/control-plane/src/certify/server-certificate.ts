/**
 * The control plane's own certificate: issued by its root, renewed at half of its life and when the root is replaced, its key
 * only in memory.
 */
import { KeyObject, webcrypto } from 'node:crypto';
import type { Cancel, Clock } from '@clearmesh/shared/lifecycle/clock';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { Logger } from '@clearmesh/shared/observe/log';
import { issueLeaf } from '@clearmesh/shared/certify/leaf';
import { ecP256 } from '@clearmesh/shared/certify/root-authority';
import type { AltName } from '@clearmesh/shared/certify/leaf';
import type { CurrentRoot } from './current-root.ts';

/** PEM. */
export type ServerCredentials = { readonly cert: string; readonly key: string };

export type ServerCertificateOptions = {
  readonly names: readonly [AltName, ...AltName[]];
  /** Milliseconds. @default 24 hours */
  readonly lifetimeMs?: number;
};

type Deps = { readonly root: CurrentRoot; readonly clock: Clock; readonly logger: Logger };

/** Milliseconds before a renewal that failed is tried again. */
const retryMs = 60_000;

export class ServerCertificate implements Disposable {
  readonly #options: ServerCertificateOptions;
  readonly #deps: Deps;
  #credentials: ServerCredentials;
  #listener: (credentials: ServerCredentials) => void = () => {};
  #cancel: Cancel;
  /** Of the renewal that counts: one that a later one, or the end, has overtaken changes nothing. */
  #renewal = 0;
  readonly #unlisten: Cancel;

  private constructor(options: ServerCertificateOptions, deps: Deps, credentials: ServerCredentials) {
    this.#options = options;
    this.#deps = deps;
    this.#credentials = credentials;
    this.#cancel = this.#schedule(lifetimeOf(options) / 2);
    this.#unlisten = deps.root.onReplaced(() => {
      this.#cancel();
      void this.#renew();
    });
  }

  static async issue(options: ServerCertificateOptions, deps: Deps): Promise<ServerCertificate> {
    return new ServerCertificate(options, deps, await issue(options, deps));
  }

  get credentials(): ServerCredentials {
    return this.#credentials;
  }

  /** Calls back with each renewed certificate; the last listener counts. */
  onRenewed(listener: (credentials: ServerCredentials) => void): void {
    this.#listener = listener;
  }

  [Symbol.dispose](): void {
    this.#unlisten();
    this.#renewal++;
    this.#cancel();
    this.#listener = () => {};
  }

  #schedule(delayMs: number): Cancel {
    return this.#deps.clock.after(delayMs, () => void this.#renew());
  }

  async #renew(): Promise<void> {
    const renewal = ++this.#renewal;
    try {
      const credentials = await issue(this.#options, this.#deps);
      if (renewal !== this.#renewal) return;
      this.#credentials = credentials;
      this.#cancel = this.#schedule(lifetimeOf(this.#options) / 2);
      this.#listener(credentials);
    } catch (error) {
      if (renewal !== this.#renewal) return;
      this.#deps.logger.error('the server certificate could not be renewed', {
        error: MeshError.from(error, 'MESH-INTERNAL-001').message,
      });
      this.#cancel = this.#schedule(retryMs);
    }
  }
}

async function issue(options: ServerCertificateOptions, deps: Deps): Promise<ServerCredentials> {
  const { publicKey, privateKey } = await webcrypto.subtle.generateKey(ecP256, true, ['sign', 'verify']);
  const { names } = options;
  const { authority } = deps.root;
  const leaf = await issueLeaf(authority, { publicKey, names, nowMs: deps.clock.now(), lifetimeMs: lifetimeOf(options) });
  return {
    cert: [leaf.pem, ...authority.intermediates].join('\n'),
    key: KeyObject.from(privateKey).export({ type: 'pkcs8', format: 'pem' }),
  };
}

function lifetimeOf(options: ServerCertificateOptions): number {
  return options.lifetimeMs ?? 86_400_000;
}
