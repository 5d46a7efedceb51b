import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { Authenticator } from '../../src/certify/authenticator.ts';
import { TokenKeys } from '../../src/certify/token-keys.ts';
import { TemporaryDirectory } from '@clearmesh/shared/testing/temporary-directory';
import { TokenIssuer } from '../fixtures/token-issuer.ts';
import type { TokenSpec } from '../fixtures/token-issuer.ts';

async function authenticatorOf(directory: string, keySet: string, clock = systemClock): Promise<Authenticator> {
  const file = join(directory, 'keys.json');
  await writeFile(file, keySet);
  return new Authenticator({}, { keys: await TokenKeys.open(file, { logger: silentLogger }), clock });
}

describe('Authenticator', () => {
  it('names the caller of a projected token', async () => {
    await using directory = await TemporaryDirectory.create();
    const issuer = await TokenIssuer.create();
    const authenticator = await authenticatorOf(directory.path, issuer.keySet);
    const token = await issuer.token({ audience: ['api', 'istio-ca'], claims: { exp: 4_000_000_000 } });
    expect(await authenticator.authenticate(`Bearer ${token}`)).to.deep.equal({
      kind: 'caller',
      expiresAtMs: 4_000_000_010_000,
      caller: {
        namespace: 'clearmesh-system',
        serviceAccount: 'ztunnel',
        pod: { name: 'ztunnel-a', uid: 'uid-ztunnel-a' },
        node: 'node-a',
      },
    });
  });

  const refused: readonly [string, TokenSpec, RegExp][] = [
    ['for another audience', { audience: 'vault' }, /aud/],
    ['of another issuer', { issuer: 'evil' }, /iss/],
    ['that has expired', { expiresInS: -60 }, /exp/],
    ['whose subject is no service account', { claims: { sub: 'admin' } }, /different accounts/],
    ['whose claims disagree', { claims: { sub: 'system:serviceaccount:bank:ztunnel' } }, /different accounts/],
    ['without the claims of Kubernetes', { claims: { 'kubernetes.io': undefined } }, /kubernetes\.io/],
    ['whose namespace is no name', { namespace: 'a/../b' }, /namespace/],
    ['whose account is no name', { serviceAccount: 'x/sa/root' }, /name/],
    ['that never expires', { claims: { exp: undefined } }, /exp/],
  ];
  for (const [title, spec, reason] of refused) {
    it(`refuses a token ${title}`, async () => {
      await using directory = await TemporaryDirectory.create();
      const issuer = await TokenIssuer.create();
      const authenticator = await authenticatorOf(directory.path, issuer.keySet);
      const token = await issuer.token(spec);
      const answer = await authenticator.authenticate(`Bearer ${token}`);
      expect(answer.kind).to.equal('refused');
      const text = answer.kind === 'refused' ? answer.reason : '';
      expect(text).to.match(reason);
      expect(text).not.to.contain(token.split('.')[2]);
    });
  }

  it('refuses what is no token, or not signed by a key of the file', async () => {
    await using directory = await TemporaryDirectory.create();
    const issuer = await TokenIssuer.create();
    const authenticator = await authenticatorOf(directory.path, issuer.keySet);
    const token = await issuer.token();
    const [header = '', claims = '', signature = ''] = token.split('.');
    const none = Buffer.from('{"alg":"none"}').toString('base64url');
    const hmac = Buffer.from('{"alg":"HS256"}').toString('base64url');
    const headers = [
      null,
      '',
      'Bearer ',
      'Bearer x',
      'Basic eDp5',
      token,
      `Bearer ${header}.${claims}.`,
      `Bearer ${none}.${claims}.`,
      `Bearer ${none}.${claims}.${signature}`,
      `Bearer ${hmac}.${claims}.${signature}`,
      `Bearer ${header}.${Buffer.from('{}').toString('base64url')}.${signature}`,
      `Bearer ${await (await TokenIssuer.create()).token()}`,
      `Bearer ${'a'.repeat(20_000)}.b.c`,
    ];
    for (const text of headers) expect((await authenticator.authenticate(text)).kind, String(text)).to.equal('refused');
  });

  it('measures expiry by the clock it is given', async () => {
    await using directory = await TemporaryDirectory.create();
    const issuer = await TokenIssuer.create();
    const clock = new FakeClock(Date.now());
    const authenticator = await authenticatorOf(directory.path, issuer.keySet, clock);
    const token = await issuer.token({ expiresInS: 600 });
    expect((await authenticator.authenticate(`Bearer ${token}`)).kind).to.equal('caller');
    clock.advance(620_000);
    expect((await authenticator.authenticate(`Bearer ${token}`)).kind).to.equal('refused');
  });
});

describe('TokenKeys', () => {
  it('takes keys that replace the file, and keeps the last good ones when it is spoilt', async () => {
    await using directory = await TemporaryDirectory.create();
    const [first, second] = [await TokenIssuer.create(), await TokenIssuer.create('k2')];
    const authenticator = await authenticatorOf(directory.path, first.keySet);
    const kind = async (issuer: TokenIssuer): Promise<string> =>
      (await authenticator.authenticate(`Bearer ${await issuer.token()}`)).kind;
    expect([await kind(first), await kind(second)]).to.deep.equal(['caller', 'refused']);
    await replace(directory.path, second.keySet);
    expect([await kind(first), await kind(second)]).to.deep.equal(['refused', 'caller']);
    await replace(directory.path, '{ "keys": [');
    expect([await kind(first), await kind(second)]).to.deep.equal(['refused', 'caller']);
  });

  for (const [title, text] of [
    ['is no JSON', 'x'],
    ['has no keys', '{"keys":[]}'],
    ['has a key of another type', '{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}'],
    ['has a key on another curve', '{"keys":[{"kty":"EC","crv":"P-384","x":"AA","y":"AA"}]}'],
  ] as const) {
    it(`refuses to start with a file that ${title}`, async () => {
      await using directory = await TemporaryDirectory.create();
      const failure = await authenticatorOf(directory.path, text).catch((error: unknown) => error);
      expect(failure).to.have.property('code', 'MESH-CONFIG-003');
    });
  }
});

async function replace(directory: string, text: string): Promise<void> {
  await writeFile(join(directory, 'next.json'), text);
  await rename(join(directory, 'next.json'), join(directory, 'keys.json'));
}
