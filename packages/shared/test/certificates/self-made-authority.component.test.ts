import { X509Certificate } from 'node:crypto';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { issueCertificate } from '../../src/certificates/issue-certificate.ts';
import { openSelfMadeAuthority } from '../../src/certificates/self-made-authority.ts';
import type { CertificateAuthority } from '../../src/certificates/certificate-authority.ts';
import { systemRandom } from '../../src/lifecycle/random.ts';
import { MeshError } from '../../src/observe/mesh-error.ts';
import { identity } from '../../src/testing/builders.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { TemporaryDirectory } from '../../src/testing/temporary-directory.ts';

const ledger = identity('bank', 'ledger');
const never = new AbortController().signal;

function open(directory?: string): Promise<CertificateAuthority> {
  const options = { trustDomain: 'cluster.local', ...(directory === undefined ? {} : { directory }) };
  return openSelfMadeAuthority(options, { clock: new FakeClock(Date.now()), random: systemRandom });
}

describe('a self-made authority', () => {
  it('signs an identity for as long as it is asked for', async () => {
    const certificate = await issueCertificate(ledger, 3600, await open(), never);
    expect(certificate.identity).to.equal(ledger);
    expect(certificate.notAfter - Date.now()).to.be.within(3_590_000, 3_601_000);
    const [leaf, root] = [certificate.chain[0]!, certificate.roots[0]!].map((pem) => new X509Certificate(pem));
    expect(leaf?.verify(root!.publicKey)).to.equal(true);
  });

  it('has another root each time it is opened', async () => {
    const [one, other] = await Promise.all([open(), open()]);
    const certificates = await Promise.all([one, other].map((authority) => issueCertificate(ledger, 60, authority, never)));
    expect(certificates[0]?.roots).not.to.deep.equal(certificates[1]?.roots);
  });

  it('has the same root as another one of its directory', async () => {
    await using directory = await TemporaryDirectory.create();
    const both = [await open(directory.path), await open(directory.path)];
    const certificates = await Promise.all(both.map((authority) => issueCertificate(ledger, 60, authority, never)));
    expect(certificates[0]?.roots).to.deep.equal(certificates[1]?.roots);
  });

  it('refuses what is no signing request', async () => {
    const error = await (await open()).sign('x', ledger, 60, never).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(MeshError);
    expect((error as MeshError).message).to.match(/one PEM block/);
  });
});
