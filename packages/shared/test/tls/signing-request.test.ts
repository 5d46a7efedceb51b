import { createPrivateKey, createPublicKey } from 'node:crypto';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { identity } from '../../src/testing/builders.ts';
import { createSigningRequest } from '../../src/tls/signing-request.ts';
import { Pkcs10CertificateRequest, SubjectAlternativeNameExtension } from '../../src/tls/x509.ts';

const id = identity('bank', 'client-sa');

describe('createSigningRequest', () => {
  it('asks for one critical URI name with an empty subject, signed by its own EC P-256 key', async () => {
    const { csrPem, keyPem } = await createSigningRequest(id);
    const request = new Pkcs10CertificateRequest(csrPem);
    expect(await request.verify()).to.equal(true);
    expect(request.subject).to.equal('');
    expect(request.signatureAlgorithm).to.deep.equal({ name: 'ECDSA', hash: { name: 'SHA-256' } });
    expect(request.publicKey.algorithm).to.deep.equal({ name: 'ECDSA', namedCurve: 'P-256' });
    expect(request.extensions.map(({ type, critical }) => [type, critical])).to.deep.equal([['2.5.29.17', true]]);
    const [extension] = request.extensions;
    expect(new SubjectAlternativeNameExtension(extension!.rawData).names.toJSON()).to.deep.equal([{ type: 'url', value: id }]);
    const ownKey = createPublicKey(createPrivateKey(keyPem)).export({ type: 'spki', format: 'der' });
    expect(Buffer.from(request.publicKey.rawData)).to.deep.equal(ownKey);
  });

  it('has the bytes upstream sends, keys and signature apart', async () => {
    const seen =
      'MIIBBzCBrgIBADAAMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEV24GKOq+sNfKjeIWoEvEvQ4ok172wb1ccnfi8ZknotHwSwUM9tXIfVix6wWFIwYr6sAHqkPcHke9' +
      'cI8jcfH9kqBMMEoGCSqGSIb3DQEJDjE9MDswOQYDVR0RAQH/BC8wLYYrc3BpZmZlOi8vY2x1c3Rlci5sb2NhbC9ucy9iYW5rL3NhL2NsaWVudC1zYTAKBggqhkjOPQQD';
    const ours = Buffer.from((await createSigningRequest(id)).csrPem.replaceAll(/-----[^-]+-----|\n/g, ''), 'base64');
    const theirs = Buffer.from(seen, 'base64');
    // The outer length varies with the signature. The 64 bytes of the point follow the BIT STRING's 03 42 00 04.
    const key = theirs.indexOf(Buffer.from([0x03, 0x42, 0x00, 0x04])) + 4;
    expect(ours.subarray(4, key)).to.deep.equal(theirs.subarray(4, key));
    expect(ours.subarray(key + 64, theirs.length)).to.deep.equal(theirs.subarray(key + 64));
  });

  it('makes a new key each time', async () => {
    const [first, second] = await Promise.all([createSigningRequest(id), createSigningRequest(id)]);
    expect(first.keyPem).to.not.equal(second.keyPem);
  });
});
