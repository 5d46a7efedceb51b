/**
 * The certificates that one served pod asks for: it holds each identity until it ends, whatever the mesh says of it meanwhile, so
 * that none is fetched without somebody who lets it go again.
 */
import type { CertificateSource, WorkloadCertificate } from '@clearmesh/shared/certificates/workload-certificate';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { LocalIdentities } from './local-identities.ts';

export type IdentityHolds = Pick<LocalIdentities, 'hold' | 'release'>;

export type PodCertificatesDeps = { readonly certificates: CertificateSource; readonly identities: IdentityHolds };

export class PodCertificates implements CertificateSource, Disposable {
  readonly #deps: PodCertificatesDeps;
  /** `undefined` once the pod has ended. */
  #held: Set<SpiffeId> | undefined = new Set();

  constructor(deps: PodCertificatesDeps) {
    this.#deps = deps;
  }

  async get(identity: SpiffeId, signal: AbortSignal): Promise<WorkloadCertificate> {
    const held = this.#held;
    if (held === undefined)
      throw new MeshError('MESH-CERT-001', { message: `no certificate for ${identity}: the pod that asks has ended` });
    if (!held.has(identity)) {
      held.add(identity);
      this.#deps.identities.hold(identity);
    }
    return this.#deps.certificates.get(identity, signal);
  }

  [Symbol.dispose](): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const identity of held) this.#deps.identities.release(identity);
  }
}
