import { CertificateStore } from '@clearmesh/shared/certificates/certificate-store';
import type { WorkloadCertificate } from '@clearmesh/shared/certificates/workload-certificate';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { identity, workload } from '@clearmesh/shared/testing/builders';
import type { WorkloadSpec } from '@clearmesh/shared/testing/builders';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { TestAuthority } from '@clearmesh/shared/testing/test-authority';
import { expect } from 'chai';
import { before, beforeEach, describe, it } from 'mocha';
import { LocalIdentities } from '../../src/capture/local-identities.ts';
import { PodCertificates } from '../../src/capture/pod-certificates.ts';

const payer = identity('bank', 'payer');
const inMesh: WorkloadSpec = { name: 'a', serviceAccount: 'payer' };
const leaving: WorkloadSpec = { ...inMesh, tunnelProtocol: 'NONE' };
const never = new AbortController().signal;
const halfLifeMs = 1_800_000;

describe('PodCertificates', () => {
  let authority: TestAuthority;
  let clock: FakeClock;
  let store: CertificateStore;
  let identities: LocalIdentities;
  let signed: number;
  before(async () => {
    authority = await TestAuthority.create();
  });
  beforeEach(() => {
    clock = new FakeClock(Date.now());
    signed = 0;
    const sign = async (csrPem: string, id: string): Promise<{ readonly chain: readonly string[] }> => {
      signed++;
      const validity = { notBefore: clock.now(), notAfter: clock.now() + 2 * halfLifeMs };
      return { chain: await authority.sign(csrPem, { uris: [id], ...validity }) };
    };
    store = new CertificateStore(
      { validitySeconds: 3_600 },
      { authority: { sign }, clock, random: new FakeRandom(), logger: silentLogger },
    );
    identities = new LocalIdentities({ node: 'node-a' }, { want: (id) => store.prefetch(id), forget: (id) => store.forget(id) });
  });

  const pod = (): PodCertificates => new PodCertificates({ certificates: store, identities });
  const tell = (spec: WorkloadSpec): void => identities.recvChange({ workloadsChanged: [workload(spec)], workloadsRemoved: [] });
  const remove = (spec: WorkloadSpec): void =>
    identities.recvChange({ workloadsChanged: [], workloadsRemoved: [workload(spec)] });
  const held = (): readonly string[] => store.list().map((entry) => entry.identity);
  /** The certificate after the one at hand. */
  async function renewed(from: PodCertificates, before: WorkloadCertificate): Promise<WorkloadCertificate> {
    for (;;) {
      const now = await from.get(payer, never);
      if (now !== before) return now;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  it('are there for a pod that leaves the mesh, as long as it is served, and go with it', async () => {
    tell(inMesh);
    using leaver = pod();
    const first = await leaver.get(payer, never);
    tell(leaving);
    expect(await leaver.get(payer, never)).to.equal(first);
    clock.advance(halfLifeMs);
    await renewed(leaver, first);
    remove(leaving);
    expect([held(), signed]).to.deep.equal([[payer], 2]);
    leaver[Symbol.dispose]();
    expect([held(), clock.pendingTimers]).to.deep.equal([[], 0]);
  });

  it('are not kept for what a pod asks for only after the mesh has let it go', async () => {
    tell(inMesh);
    tell(leaving);
    expect(held()).to.deep.equal([]);
    using leaver = pod();
    await leaver.get(payer, never);
    expect(held()).to.deep.equal([payer]);
    leaver[Symbol.dispose]();
    expect([held(), clock.pendingTimers]).to.deep.equal([[], 0]);
  });

  it('of one identity go with the last pod that has it', async () => {
    using first = pod();
    using second = pod();
    const certificate = await first.get(payer, never);
    expect(await second.get(payer, never)).to.equal(certificate);
    first[Symbol.dispose]();
    expect(await second.get(payer, never)).to.equal(certificate);
    second[Symbol.dispose]();
    expect(held()).to.deep.equal([]);
  });

  it('stay when a pod ends whose workload is still named', async () => {
    tell(inMesh);
    using ending = pod();
    await ending.get(payer, never);
    ending[Symbol.dispose]();
    expect(held()).to.deep.equal([payer]);
    remove(inMesh);
    expect([held(), clock.pendingTimers]).to.deep.equal([[], 0]);
  });

  it('are refused to a pod that has ended, and nothing is asked for', async () => {
    const ended = pod();
    ended[Symbol.dispose]();
    const failure = await ended.get(payer, never).catch((error: unknown) => error);
    expect(failure).to.be.instanceOf(MeshError).with.property('code', 'MESH-CERT-001');
    expect([held(), signed]).to.deep.equal([[], 0]);
  });

  it('leave nothing behind, however many pods come and go', async () => {
    for (let round = 0; round < 200; round++) {
      using passing = pod();
      void passing.get(identity('bank', `sa-${round}`), never).catch(() => {});
    }
    expect(held()).to.deep.equal([]);
    while (clock.pendingTimers > 0) await new Promise((resolve) => setImmediate(resolve));
  });
});
