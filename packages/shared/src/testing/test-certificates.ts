import type { SpiffeId } from '../identity/spiffe.ts';
import { TestAuthority } from './test-authority.ts';
import { createMeshContext } from '../tls/mesh-context.ts';
import type { CertificateSource, WorkloadCertificate } from '../certificates/workload-certificate.ts';

/** Issues a real certificate for whatever identity is asked for, once each. */
export class TestCertificates implements CertificateSource {
  readonly #authority: TestAuthority;
  readonly #issued = new Map<SpiffeId, Promise<WorkloadCertificate>>();

  private constructor(authority: TestAuthority) {
    this.#authority = authority;
  }

  static async create(): Promise<TestCertificates> {
    return new TestCertificates(await TestAuthority.create());
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
    };
  }
}
