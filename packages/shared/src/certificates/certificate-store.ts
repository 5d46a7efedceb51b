/**
 * The certificates of a node's workloads: asked for when a pod starts or a connection needs one, renewed at half life,
 * forgotten with the last pod that used them.
 */
import { Backoff } from '../lifecycle/backoff.ts';
import type { Clock } from '../lifecycle/clock.ts';
import { Deadline } from '../lifecycle/deadline.ts';
import type { Random } from '../lifecycle/random.ts';
import type { SpiffeId } from '../identity/spiffe.ts';
import type { Logger } from '../observe/log.ts';
import { MeshError } from '../observe/mesh-error.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import { CertificateEntry } from './certificate-entry.ts';
import type { EntryDeps } from './certificate-entry.ts';
import { issueCertificate } from './issue-certificate.ts';
import type { PeerTrust } from './peer-trust.ts';
import { defaultTlsPolicy } from '../tls/tls-policy.ts';
import type { TlsPolicy } from '../tls/tls-policy.ts';
import { SigningQueue } from './signing-queue.ts';
import type { SigningPriority } from './signing-queue.ts';
import type { CertificateSource, WorkloadCertificate } from './workload-certificate.ts';

export type CertificateStoreOptions = {
  /** Lifetime asked for, seconds. @default 86 400 */
  readonly validitySeconds?: number;
  /** Requests to the authority at once. @default 8 */
  readonly concurrency?: number;
  /** Time for one attempt, milliseconds. @default 10 000 */
  readonly attemptMs?: number;
  /** Of every connection that shows one of the certificates. @default TLS 1.3, any key exchange */
  readonly tls?: TlsPolicy;
  /** Identities held at once; each belongs to a pod of this node. @default 4096 */
  readonly maxIdentities?: number;
};

export type CertificateStoreDeps = {
  readonly authority: CertificateAuthority;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Further roots and revocations. @default none */
  readonly trust?: PeerTrust;
};

/** One identity and how its certificate fares, for dumps. */
export type CertificateStatus = {
  readonly identity: SpiffeId;
  /** `Initializing`, `Available` or `Unavailable: <why>`. */
  readonly state: string;
  /** PEM, leaf first; empty without a certificate. */
  readonly chain: readonly string[];
  readonly roots: readonly string[];
};

export type CertificateHealth = {
  /** Identities whose last request failed. */
  readonly failing: number;
  /** When the first certificate in use runs out, milliseconds since the epoch; absent without any. */
  readonly firstExpiryMs?: number;
};

/** Share of a certificate's life that is left when a failed renewal is an error rather than a warning. */
const urgentShare = 0.25;

export class CertificateStore implements CertificateSource, Disposable {
  readonly #options: Required<CertificateStoreOptions>;
  readonly #deps: CertificateStoreDeps;
  readonly #queue: SigningQueue;
  readonly #entries = new Map<SpiffeId, CertificateEntry>();

  constructor(options: CertificateStoreOptions, deps: CertificateStoreDeps) {
    this.#options = {
      validitySeconds: 86_400,
      concurrency: 8,
      attemptMs: 10_000,
      maxIdentities: 4096,
      tls: defaultTlsPolicy,
      ...options,
    };
    this.#deps = deps;
    this.#queue = new SigningQueue(this.#options);
  }

  async get(identity: SpiffeId, signal: AbortSignal): Promise<WorkloadCertificate> {
    signal.throwIfAborted();
    return unlessAborted(this.#entry(identity, 'real-time').get(), signal);
  }

  /** Asks for a certificate before a connection needs it; nothing happens when there is one, or one under way. */
  prefetch(identity: SpiffeId): void {
    if (this.#entries.has(identity) || this.#entries.size < this.#options.maxIdentities) this.#entry(identity, 'warmup');
  }

  /** The last local pod of this identity is gone. */
  forget(identity: SpiffeId): void {
    this.#entries.get(identity)?.forget();
    this.#entries.delete(identity);
  }

  /** How far the certificates are from running out: what to alert on. */
  get health(): CertificateHealth {
    const entries = [...this.#entries.values()];
    const ends = entries.map(({ current }) => current?.notAfter).filter((end) => end !== undefined);
    const failing = entries.filter((entry) => entry.failing).length;
    return ends.length === 0 ? { failing } : { failing, firstExpiryMs: Math.min(...ends) };
  }

  /** Every identity held, in the order they came. */
  list(): readonly CertificateStatus[] {
    return [...this.#entries.values()].map(({ identity, status: state, current }) => ({
      identity,
      state,
      chain: current?.chain ?? [],
      roots: current?.roots ?? [],
    }));
  }

  [Symbol.dispose](): void {
    for (const identity of this.#entries.keys()) this.forget(identity);
  }

  #entry(identity: SpiffeId, priority: SigningPriority): CertificateEntry {
    const known = this.#entries.get(identity);
    if (known !== undefined) return known;
    const { maxIdentities } = this.#options;
    if (this.#entries.size >= maxIdentities) {
      throw new MeshError('MESH-CERT-001', {
        message: `no certificate for ${identity}: ${maxIdentities} identities are held already`,
      });
    }
    const entry = new CertificateEntry(identity, priority, this.#entryDeps());
    this.#entries.set(identity, entry);
    return entry;
  }

  #entryDeps(): EntryDeps {
    const { clock, random, logger } = this.#deps;
    return {
      queue: this.#queue,
      backoff: new Backoff({ initialMs: 1_000, maxMs: 150_000, jitter: 0.2 }, { random }),
      clock,
      random,
      issue: (identity, signal) => this.#issue(identity, signal),
      onRenewed: ({ identity, notAfter }, renewInMs) => {
        const expires = new Date(notAfter).toISOString();
        logger.info('certificate issued', { identity, expires, 'renew.in': `${Math.round(renewInMs / 1000)}s` });
      },
      onFailed: (identity, failure, retryInMs) => {
        this.#recvFailed(identity, failure, retryInMs);
      },
    };
  }

  /** Half a life before the end come warnings, a quarter before it errors: both with the time that is left. */
  #recvFailed(identity: SpiffeId, failure: MeshError, retryInMs: number): void {
    const { clock, logger } = this.#deps;
    const fields = { identity, error: failure.message, 'retry.in': `${Math.round(retryInMs)}ms` };
    const current = this.#entries.get(identity)?.current;
    if (current === undefined) return logger.warn('certificate failed', fields);
    const leftMs = current.notAfter - clock.now();
    if (leftMs <= 0) return logger.error('certificate ran out; new connections are refused', { ...fields, hint: failure.hint });
    const left = { 'expires.in': `${Math.round(leftMs / 1000)}s` };
    if (leftMs > urgentShare * (current.notAfter - current.notBefore))
      return logger.warn('certificate could not be renewed', { ...fields, ...left });
    return logger.error('certificate is about to run out, and could not be renewed', { ...fields, ...left, hint: failure.hint });
  }

  async #issue(identity: SpiffeId, signal: AbortSignal): Promise<WorkloadCertificate> {
    const { attemptMs, validitySeconds, tls } = this.#options;
    const reason = (): Error =>
      new MeshError('MESH-CERT-001', { message: `no answer from the certificate authority within ${attemptMs} ms` });
    using deadline = new Deadline({ limitMs: attemptMs, reason }, this.#deps);
    const either = deadline.within(signal);
    // An authority that ignores the signal still costs no more than the time it has.
    return await unlessAborted(
      issueCertificate(identity, validitySeconds, this.#deps.authority, either, { trust: this.#deps.trust, tls }),
      either,
    );
  }
}

/** The promise's value, or a rejection with the signal's reason as soon as it aborts. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
