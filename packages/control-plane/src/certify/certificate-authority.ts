/**
 * A request for a certificate, decided and answered (control-plane-contract section 5).
 *
 * C1  The identity comes from the token, or from the impersonation rule; from the signing request only the key.
 * C2  Whoever is refused learns nothing but that; the log learns why.
 */
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { decideIdentity } from './impersonation.ts';
import { issueLeaf } from '@clearmesh/shared/certify/leaf';
import { readSigningRequest } from '@clearmesh/shared/certify/signing-request';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import type { PodManifest } from '../manifest/pod.ts';
import type { Caller } from './caller.ts';
import type { CurrentRoot } from './current-root.ts';

export type CertificateAuthorityOptions = {
  readonly trustDomain: string;
  /** `namespace/account` of node proxies. */
  readonly trustedNodeAccounts: ReadonlySet<string>;
  /** Seconds, for requests that name none. @default 24 hours */
  readonly defaultLifetimeS?: number;
  /** Seconds; a request for more is refused, not shortened. @default 90 days */
  readonly maxLifetimeS?: number;
};

export type CertificateRequest = {
  readonly caller: Caller;
  /** PEM. */
  readonly csr: string;
  /** `ImpersonatedIdentity`; "" for the caller's own. */
  readonly impersonated: string;
  /** 0 for the default. */
  readonly lifetimeS: bigint;
};

export type CertificateAnswer =
  /** PEM: leaf, each certificate between, then the root or roots. */
  | {
      readonly kind: 'issued';
      readonly chain: readonly [string, ...string[]];
      readonly identity: SpiffeId;
      readonly notAfterMs: number;
    }
  /** The caller may not have this identity. */
  | { readonly kind: 'unauthenticated'; readonly reason: string }
  /** The request itself is wrong. */
  | { readonly kind: 'invalid'; readonly reason: string };

export class CertificateAuthority {
  readonly #options: CertificateAuthorityOptions;
  readonly #root: CurrentRoot;
  readonly #clock: Clock;
  readonly #pods: () => readonly PodManifest[];

  constructor(
    options: CertificateAuthorityOptions,
    deps: { readonly root: CurrentRoot; readonly clock: Clock; readonly pods: () => readonly PodManifest[] },
  ) {
    this.#options = options;
    this.#root = deps.root;
    this.#clock = deps.clock;
    this.#pods = deps.pods;
  }

  async answer(request: CertificateRequest): Promise<CertificateAnswer> {
    const { trustDomain, trustedNodeAccounts } = this.#options;
    const facts = { trustDomain, trustedNodeAccounts, pods: this.#pods() };
    const decision = decideIdentity({ caller: request.caller, requested: request.impersonated }, facts);
    if (decision.kind === 'refused') return { kind: 'unauthenticated', reason: decision.reason };
    const lifetimeS = this.#lifetime(request.lifetimeS);
    if (lifetimeS === undefined)
      return { kind: 'invalid', reason: `validity_duration must be from 1 to ${this.#maxLifetimeS} seconds` };
    const key = await readSigningRequest(request.csr);
    if (key.kind === 'refused') return { kind: 'invalid', reason: key.reason };
    const { authority } = this.#root;
    const leaf = await issueLeaf(authority, {
      publicKey: key.publicKey,
      names: [{ type: 'url', value: decision.identity }],
      nowMs: this.#clock.now(),
      lifetimeMs: lifetimeS * 1000,
    });
    return {
      kind: 'issued',
      chain: [leaf.pem, ...authority.intermediates, authority.rootPem],
      identity: decision.identity,
      notAfterMs: leaf.notAfterMs,
    };
  }

  get #maxLifetimeS(): number {
    return this.#options.maxLifetimeS ?? 90 * 86_400;
  }

  #lifetime(requestedS: bigint): number | undefined {
    if (requestedS === 0n) return this.#options.defaultLifetimeS ?? 86_400;
    return requestedS < 0n || requestedS > BigInt(this.#maxLifetimeS) ? undefined : Number(requestedS);
  }
}
