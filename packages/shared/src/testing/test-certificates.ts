import type { SpiffeId } from '../identity/spiffe.ts';
import { TestAuthority } from './test-authority.ts';
import { createMeshContext } from '../tls/mesh-context.ts';
import type { PeerTrust } from '../certificates/peer-trust.ts';
import type { CertificateSource, WorkloadCertificate } from '../certificates/workload-certificate.ts';

/** Issues a real certificate for whatever identity is asked for, once each. */
export class TestCertificates implements CertificateSource {
  readonly #authority: TestAuthority;
  readonly #issued = new Map<SpiffeId, Promise<WorkloadCertificate>>();

  readonly #trust: PeerTrust | undefined;

  private constructor(authority: TestAuthority, trust: PeerTrust | undefined) {
    this.#authority = authority;
    this.#trust = trust;
  }

  /** @param trust what certificates are held against beside their roots */
  static async create(trust?: PeerTrust): Promise<TestCertificates> {
    return new TestCertificates(await TestAuthority.create(), trust);
  }

  /** A list that revokes what was issued for these. */
  async revoking(...identities: readonly SpiffeId[]): Promise<string> {
    const certificates = await Promise.all(identities.map((identity) => this.get(identity)));
    return this.#authority.revocationList({ revoked: certificates.map(({ chain: [leaf = ''] }) => leaf) });
  }

  get(identity: SpiffeId): Promise<WorkloadCertificate> {
    const known = this.#issued.get(identity);
    if (known !== undefined) return known;
    const issued = this.#issue(identity);
    this.#issued.set(identity, issued);
    return issued;
  }

  async #issue(identity: SpiffeId): Promise<WorkloadCertificate> {
    const { certPem, keyPem } = await this.#authority.issue({ uris: [identity] });
    const roots = [this.#authority.rootPem];
    const context = createMeshContext({ chain: [certPem], keyPem, roots });
    const now = Date.now();
    return {
      identity,
      chain: [certPem],
      roots,
      notBefore: now,
      notAfter: now + 3_600_000,
      clientContext: context,
      serverContext: context,
      ...(this.#trust === undefined ? {} : { trust: this.#trust }),
    };
  }
}
