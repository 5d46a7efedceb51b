import { X509Certificate } from 'node:crypto';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { createRoot, readRoot } from '@clearmesh/shared/certify/root-authority';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { askUntil } from '@clearmesh/shared/testing/ask-until';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { CurrentRoot } from '../../src/certify/current-root.ts';
import { ServerCertificate } from '../../src/certify/server-certificate.ts';
import type { RootAuthority } from '@clearmesh/shared/certify/root-authority';

async function newAuthority(): Promise<RootAuthority> {
  const nowMs = Date.now();
  return readRoot(await createRoot({ trustDomain: 'cluster.local', nowMs }), nowMs);
}

describe('ServerCertificate', () => {
  it('is renewed once for roots that are replaced at the same time, below the last of them', async () => {
    const [first, second, third] = [await newAuthority(), await newAuthority(), await newAuthority()];
    const root = new CurrentRoot(first);
    const clock = new FakeClock(Date.now());
    using certificate = await ServerCertificate.issue(
      { names: [{ type: 'dns', value: 'localhost' }] },
      { root, clock, logger: silentLogger },
    );
    const renewed: string[] = [];
    certificate.onRenewed(({ cert }) => renewed.push(cert));
    root.replace(second);
    root.replace(third);
    await askUntil(
      (count) => count > 0,
      async () => renewed.length,
    );
    await issuanceOf(root, clock);
    expect(renewed).to.have.length(1);
    const { publicKey } = new X509Certificate(third.certificate.toString('pem'));
    expect(new X509Certificate(certificate.credentials.cert).verify(publicKey)).to.equal(true);
    expect(clock.pendingTimers).to.equal(1);
  });

  it('leaves no timer behind when it is disposed of during a renewal', async () => {
    const root = new CurrentRoot(await newAuthority());
    const clock = new FakeClock(Date.now());
    const certificate = await ServerCertificate.issue(
      { names: [{ type: 'dns', value: 'localhost' }] },
      { root, clock, logger: silentLogger },
    );
    root.replace(await newAuthority());
    certificate[Symbol.dispose]();
    await issuanceOf(root, clock);
    expect(clock.pendingTimers).to.equal(0);
  });
});

/** Another certificate, by which time those that were asked for before are there as well. */
async function issuanceOf(root: CurrentRoot, clock: FakeClock): Promise<void> {
  using _last = await ServerCertificate.issue(
    { names: [{ type: 'dns', value: 'localhost' }] },
    { root, clock, logger: silentLogger },
  );
}
