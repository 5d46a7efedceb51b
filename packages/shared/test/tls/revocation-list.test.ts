import { X509Certificate } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { before, describe, it } from 'mocha';
import { splitPemBundle } from '../../src/identity/certificate.ts';
import { identity } from '../../src/testing/builders.ts';
import { TestAuthority } from '../../src/testing/test-authority.ts';
import { readRevocationLists, revokedIn } from '../../src/tls/revocation-list.ts';

const uris = [identity('bank', 'teller')];

describe('readRevocationLists', () => {
  let authority: TestAuthority;
  let leaf: string;
  let pem: string;
  before(async () => {
    authority = await TestAuthority.create();
    leaf = (await authority.issue({ uris })).certPem;
    pem = await authority.revocationList({ revoked: [leaf], nextUpdate: Date.UTC(2031, 0, 2) });
  });

  it('reads issuer, serial numbers and the next update', () => {
    const [list] = readRevocationLists(Buffer.from(pem));
    expect(list?.nextUpdate).to.equal(Date.UTC(2031, 0, 2));
    expect([...(list?.serials ?? [])].map((serial) => Buffer.from(serial, 'latin1').toString('hex').toUpperCase())).to.deep.equal(
      [new X509Certificate(leaf).serialNumber],
    );
  });

  it('knows by whose key a list is signed', async () => {
    const [list] = readRevocationLists(Buffer.from(pem));
    const other = await TestAuthority.create();
    expect(list?.signedBy(new X509Certificate(authority.rootPem).publicKey)).to.equal(true);
    expect(list?.signedBy(new X509Certificate(other.rootPem).publicKey)).to.equal(false);
  });

  it('reads several lists of a PEM file, one of a DER file, and none of an empty one', async () => {
    const other = await (await TestAuthority.create()).revocationList({ revoked: [] });
    const der = Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
    expect(readRevocationLists(Buffer.from(`${pem}${other}`)).length).to.equal(2);
    expect(readRevocationLists(der).length).to.equal(1);
    expect(readRevocationLists(Buffer.from('\n'))).to.deep.equal([]);
  });

  it('refuses a file of certificates, a cut list and a page of text', () => {
    for (const text of [leaf, pem.slice(0, 200), 'Not found', `${pem.slice(0, 300)}\n-----END X509 CRL-----\n`])
      expect(() => readRevocationLists(Buffer.from(text)), text.slice(0, 30)).to.throw(Error);
  });

  it('gives lists or an Error for any bytes, and for a list with any byte changed', () => {
    const der = Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
    const holds = (bytes: Uint8Array): void => {
      try {
        expect(readRevocationLists(bytes)).to.be.an('array');
      } catch (error) {
        expect(error).to.be.instanceOf(Error);
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), holds));
    fc.assert(
      fc.property(fc.nat(der.length - 1), fc.nat(255), (at, byte) => {
        const changed = Buffer.from(der);
        changed[at] = byte;
        holds(changed);
      }),
    );
  });
});

describe('revokedIn', () => {
  it('names a leaf that its issuer revoked, and passes its sisters', async () => {
    const authority = await TestAuthority.create();
    const [bad, good] = await Promise.all([authority.issue({ uris }), authority.issue({ uris })]);
    const lists = readRevocationLists(Buffer.from(await authority.revocationList({ revoked: [bad.certPem] })));
    const roots = [authority.rootPem];
    expect(revokedIn(new X509Certificate(bad.certPem), lists, roots)).to.include('the certificate');
    expect(revokedIn(new X509Certificate(good.certPem), lists, roots)).to.equal(undefined);
    expect(revokedIn(new X509Certificate(bad.certPem), [], roots)).to.equal(undefined);
  });

  it('passes what another authority of the same name revoked', async () => {
    const [before, after] = await Promise.all([TestAuthority.create(), TestAuthority.create()]);
    const { certPem } = await before.issue({ uris });
    const lists = readRevocationLists(Buffer.from(await after.revocationList({ revoked: [certPem] })));
    const [leaf = ''] = splitPemBundle(certPem);
    expect(revokedIn(new X509Certificate(leaf), lists, [before.rootPem, after.rootPem])).to.equal(undefined);
    expect(revokedIn(new X509Certificate(leaf), lists, [])).to.not.equal(undefined);
  });
});
