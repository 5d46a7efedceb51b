import { X509Certificate, createPrivateKey } from 'node:crypto';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { spiffeIdsOf } from '../../src/identity/certificate.ts';
import { identity } from '../../src/testing/builders.ts';
import { TestAuthority } from '../../src/testing/test-authority.ts';
import { createSigningRequest } from '../../src/tls/signing-request.ts';

const id = identity('bank', 'client');

describe('TestAuthority', () => {
  it('issues leaves that its root verifies, with the names and times asked for', async () => {
    const authority = await TestAuthority.create();
    const notBefore = Date.UTC(2026, 0, 1);
    const spec = { uris: [id], dnsNames: ['a.example'], ips: ['10.0.0.1'], notBefore, notAfter: notBefore + 60_000 };
    const { certPem, keyPem } = await authority.issue(spec);
    const leaf = new X509Certificate(certPem);
    expect(leaf.verify(new X509Certificate(authority.rootPem).publicKey)).to.equal(true);
    expect(leaf.checkPrivateKey(createPrivateKey(keyPem))).to.equal(true);
    expect(leaf.subjectAltName).to.equal(`URI:${id}, DNS:a.example, IP Address:10.0.0.1`);
    expect([leaf.validFromDate.getTime(), leaf.validToDate.getTime()]).to.deep.equal([notBefore, notBefore + 60_000]);
    expect(leaf.keyUsage).to.deep.equal(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
  });

  it('chains an intermediate below the same root', async () => {
    const authority = await TestAuthority.create();
    const below = await authority.intermediate();
    const { certPem } = await below.issue({ uris: [id] });
    const [leaf, intermediate] = certPem.split(/(?<=-----END CERTIFICATE-----)\s*/).map((pem) => new X509Certificate(pem));
    expect(below.rootPem).to.equal(authority.rootPem);
    expect(leaf?.checkIssued(intermediate!)).to.equal(true);
    expect(intermediate?.checkIssued(new X509Certificate(authority.rootPem))).to.equal(true);
  });

  it('answers a signing request with leaf and root, naming what the test says', async () => {
    const authority = await TestAuthority.create();
    const { csrPem, keyPem } = await createSigningRequest(id);
    const other = identity('bank', 'other');
    const [leaf = '', root] = await authority.sign(csrPem, { uris: [other] });
    expect(root).to.equal(authority.rootPem);
    expect(new X509Certificate(leaf).checkPrivateKey(createPrivateKey(keyPem))).to.equal(true);
    expect(spiffeIdsOf(new X509Certificate(leaf).raw)).to.deep.equal([other]);
  });
});
