import { expect } from 'chai';
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { describe, it } from 'mocha';
import { tokenClaims, TokenKey } from '../../src/up/tokens.ts';

const account = {
  namespace: 'clearmesh-system',
  serviceAccount: 'ztunnel',
  pod: { name: 'ztunnel-node-a', uid: 'uid-1' },
  node: 'node-a',
};

describe('tokenClaims', () => {
  it('has the shape of a projected service account token', () => {
    expect(tokenClaims(account, 1_700_000_000_999)).to.deep.equal({
      iss: 'clearmesh',
      aud: ['istio-ca'],
      sub: 'system:serviceaccount:clearmesh-system:ztunnel',
      iat: 1_700_000_000,
      nbf: 1_700_000_000,
      exp: 1_700_043_200,
      'kubernetes.io': {
        namespace: 'clearmesh-system',
        serviceaccount: { name: 'ztunnel' },
        pod: { name: 'ztunnel-node-a', uid: 'uid-1' },
        node: { name: 'node-a' },
      },
    });
  });
});

describe('TokenKey', () => {
  it('publishes a key that verifies its tokens, and no private part', async () => {
    const key = await TokenKey.create();
    const jwks = JSON.parse(key.jwks()) as { keys: { d?: string; kid: string }[] };
    const token = await key.sign(tokenClaims(account, Date.now()));
    const { payload } = await jwtVerify(token, createLocalJWKSet(jwks as never), {
      issuer: 'clearmesh',
      audience: 'istio-ca',
      algorithms: ['ES256'],
    });
    expect(payload.sub).to.equal('system:serviceaccount:clearmesh-system:ztunnel');
    expect(decodeProtectedHeader(token)).to.deep.equal({ alg: 'ES256', kid: jwks.keys[0]!.kid, typ: 'JWT' });
    expect(jwks.keys[0]).not.to.have.property('d');
  });
});
