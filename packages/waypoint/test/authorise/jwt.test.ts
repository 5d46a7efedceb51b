import { createHmac } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { before, describe, it } from 'mocha';
import type { JwtRule, RequestAuthentication, UnreadTokens } from '@clearmesh/shared/model/l7/jwt';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { staticKeys } from '../../src/authorise/jwks-remote.ts';
import { JwtAuthenticator } from '../../src/authorise/jwt.ts';
import type { TokensAccepted } from '../../src/authorise/jwt.ts';
import { KeySet } from '../../src/authorise/jwt-keys.ts';
import type { RequestFacts } from '../../src/exchange/request-facts.ts';
import type { Refused } from '../../src/exchange/stage.ts';
import { createIssuer } from './issuer.ts';
import type { Issuer } from './issuer.ts';
import { request, staying } from './requests.ts';

const login = 'https://login.bank';
const partner = 'https://partner.example';
const nowSeconds = Date.UTC(2026, 0, 1) / 1_000;

let bank: Issuer;
let other: Issuer;

before(async () => {
  [bank, other] = await Promise.all([createIssuer(login), createIssuer(partner)]);
});

function rule(changes: Partial<JwtRule> = {}): JwtRule {
  return {
    issuer: login,
    audiences: [],
    jwks: bank.jwks,
    fromHeaders: [],
    fromParams: [],
    forwardOriginalToken: false,
    outputClaimToHeaders: [],
    ...changes,
  };
}

const lost = 'RequestAuthentication ledger/lost';
/** Of this one nothing is known but what `unread` says. */
const lostBy = (unread: UnreadTokens): RequestAuthentication => ({ key: lost, unread });

async function authenticate(
  rules: readonly JwtRule[],
  changes: Partial<RequestFacts>,
  ...more: readonly RequestAuthentication[]
): Promise<TokensAccepted | Refused> {
  const authenticator = new JwtAuthenticator([{ key: 'RequestAuthentication ledger/login', rules }, ...more], {
    clock: new FakeClock(),
    keysOf: ({ jwks }) => staticKeys(jwks === undefined ? undefined : KeySet.parse(jwks)),
  });
  return authenticator.authenticate(request({ query: '', ...changes }), staying);
}

function bearing(token: string, more: RequestFacts['headers'] = {}): Partial<RequestFacts> {
  return { headers: { ...more, authorization: `Bearer ${token}` } };
}

async function accepted(rules: readonly JwtRule[], changes: Partial<RequestFacts>): Promise<TokensAccepted> {
  const outcome = await authenticate(rules, changes);
  if (outcome.kind === 'refused') throw new Error(outcome.failure.detail);
  return outcome;
}

async function fault(rules: readonly JwtRule[], changes: Partial<RequestFacts>): Promise<string> {
  const outcome = await authenticate(rules, changes);
  if (outcome.kind !== 'refused') return 'accepted';
  const { kind, detail, headers } = outcome.failure;
  if (kind === 'jwt-invalid')
    expect(headers?.['www-authenticate']).to.match(/^Bearer realm="ledger\.[^"]+", error="invalid_token"/);
  return `${kind}: ${detail.replace(/^.* is not accepted: /, '')}`;
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

describe('a token', () => {
  for (const kid of ['rsa-1', 'pss-1', 'ec-1', 'ed-1']) {
    it(`signed with ${kid} is accepted`, async () => {
      const outcome = await accepted([rule()], bearing(await bank.sign({ sub: 'alice', exp: nowSeconds + 60 }, kid)));
      expect(outcome.token).to.deep.equal({
        principal: `${login}/alice`,
        claims: { iss: login, sub: 'alice', exp: nowSeconds + 60 },
        expiresAtMs: (nowSeconds + 60) * 1_000,
      });
    });
  }

  const claims: readonly (readonly [title: string, claims: Readonly<Record<string, unknown>>, verdict: string])[] = [
    ['without an end', {}, 'accepted'],
    ['ended within the leeway', { exp: nowSeconds - 29 }, 'accepted'],
    ['ended before the leeway', { exp: nowSeconds - 30 }, 'jwt-invalid: the token has expired'],
    ['that begins within the leeway', { nbf: nowSeconds + 30 }, 'accepted'],
    ['that begins later', { nbf: nowSeconds + 31 }, 'jwt-invalid: the token is not valid yet'],
    ['with an end that is no time', { exp: 'never' }, 'jwt-invalid: exp is no number'],
    ['of another issuer', { iss: partner }, 'jwt-invalid: its issuer is not known'],
    ['without an issuer', { iss: undefined }, 'jwt-invalid: it is no JWT with an issuer'],
  ];
  for (const [title, changes, verdict] of claims) {
    it(`${title} is ${verdict}`, async () => {
      expect(await fault([rule()], bearing(await bank.sign({ sub: 'alice', ...changes })))).to.equal(verdict);
    });
  }

  const audiences: readonly (readonly [aud: unknown, verdict: string])[] = [
    ['ledger', 'accepted'],
    [['other', 'ledger'], 'accepted'],
    ['other', 'jwt-invalid: the token is for another audience'],
    [undefined, 'jwt-invalid: the token is for another audience'],
  ];
  for (const [aud, verdict] of audiences) {
    it(`for audience ${JSON.stringify(aud)} where ledger is asked is ${verdict}`, async () => {
      expect(await fault([rule({ audiences: ['ledger'] })], bearing(await bank.sign({ aud })))).to.equal(verdict);
    });
  }

  it('with alg none is refused', async () => {
    const token = `${encode({ alg: 'none' })}.${encode({ iss: login, sub: 'alice' })}.`;
    expect(await fault([rule()], bearing(token))).to.equal('jwt-invalid: the algorithm is not accepted');
  });

  it('signed with the public key as a secret is refused', async () => {
    const signed = `${encode({ alg: 'HS256', kid: 'rsa-1' })}.${encode({ iss: login, sub: 'alice' })}`;
    const token = `${signed}.${createHmac('sha256', bank.jwks).update(signed).digest('base64url')}`;
    expect(await fault([rule()], bearing(token))).to.equal('jwt-invalid: the algorithm is not accepted');
    const secret = JSON.stringify({ keys: [{ kty: 'oct', k: Buffer.from('secret').toString('base64url'), alg: 'HS256' }] });
    expect(await fault([rule({ jwks: secret })], bearing(token))).to.match(/^jwks-unavailable: /);
  });

  it('whose signature does not hold is refused', async () => {
    const [header, , signature] = (await bank.sign({ sub: 'alice' })).split('.');
    const token = `${header}.${encode({ iss: login, sub: 'admin' })}.${signature}`;
    expect(await fault([rule()], bearing(token))).to.equal('jwt-invalid: the signature does not hold');
  });

  it('that claims the issuer of another’s keys is refused', async () => {
    const token = await other.sign({ iss: login, sub: 'alice' });
    expect(await fault([rule(), rule({ issuer: partner, jwks: other.jwks })], bearing(token))).to.equal(
      'jwt-invalid: the signature does not hold',
    );
  });

  it('without a kid is tried with every key that fits', async () => {
    const issuers = await Promise.all([1, 2].map(() => createIssuer(login, { withoutKid: true })));
    const keys = issuers.flatMap(({ jwks }) => (JSON.parse(jwks) as { readonly keys: unknown[] }).keys);
    const both = [rule({ jwks: JSON.stringify({ keys }) })];
    for (const issuer of issuers) expect(await fault(both, bearing(await issuer.sign({ sub: 'a' })))).to.equal('accepted');
    const stranger = await createIssuer(login, { withoutKid: true });
    expect(await fault(both, bearing(await stranger.sign({ sub: 'a' })))).to.equal('jwt-invalid: the signature does not hold');
  });

  it('that is too long is refused unread', async () => {
    expect(await fault([rule()], bearing(await bank.sign({ pad: 'x'.repeat(20_000) })))).to.equal(
      'jwt-invalid: it is no JWT with an issuer',
    );
  });

  it('of any shape is refused, and never throws', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ minLength: 1 }), async (text) => {
        const outcome = await fault([rule()], bearing(text.trim() || 'x'));
        expect(outcome).to.match(/^jwt-invalid/);
      }),
    );
  });

  it('is never quoted in a refusal', async () => {
    const outcome = await authenticate([rule()], bearing(`x.${encode({ iss: 'secret-issuer' })}.y`));
    expect(JSON.stringify(outcome)).not.to.include('secret-issuer');
  });
});

describe('the place of a token', () => {
  it('is Authorization: Bearer unless a rule says otherwise', async () => {
    const token = await bank.sign({ sub: 'alice' });
    expect(await accepted([rule()], { headers: { authorization: `bearer ${token}` } })).to.have.property('token');
    expect(await accepted([rule()], { headers: { 'x-token': token } })).not.to.have.property('token');
    expect(await accepted([rule()], { headers: { authorization: 'Basic YTpi' } })).not.to.have.property('token');
  });

  it('may be another header with a prefix, or a parameter', async () => {
    const token = await bank.sign({ sub: 'alice' });
    const rules = [rule({ fromHeaders: [{ name: 'X-Token', prefix: 'jwt:' }], fromParams: ['access_token'] })];
    const byHeader = await accepted(rules, { headers: { 'x-token': `jwt:${token}` } });
    expect(byHeader.changes).to.deep.equal({ set: {}, remove: ['x-token'] });
    const byParam = await accepted(rules, { query: `a=1&access_token=${token}` });
    expect(byParam.token?.principal).to.equal(`${login}/alice`);
    expect(byParam.changes.query).to.deep.equal({ set: {}, remove: ['access_token'] });
    expect(await accepted(rules, bearing(token))).not.to.have.property('token');
  });

  it('holds for the rules that look there only', async () => {
    const rules = [rule(), rule({ issuer: partner, jwks: other.jwks, fromHeaders: [{ name: 'x-partner', prefix: '' }] })];
    const token = await other.sign({ sub: 'shop' });
    expect(await fault(rules, bearing(token))).to.equal('jwt-invalid: its issuer is not known');
    expect(await fault(rules, { headers: { 'x-partner': token } })).to.equal('accepted');
  });

  it('may hold several, and each must hold', async () => {
    const rules = [rule(), rule({ issuer: partner, jwks: other.jwks, fromHeaders: [{ name: 'x-partner', prefix: '' }] })];
    const [good, second, bad] = await Promise.all([
      bank.sign({ sub: 'alice' }),
      other.sign({ sub: 'shop' }),
      other.sign({ sub: 'shop', exp: 1 }),
    ]);
    const outcome = await accepted(rules, bearing(good, { 'x-partner': second }));
    expect(outcome.token?.principal).to.equal(`${login}/alice`);
    expect(await fault(rules, bearing(good, { 'x-partner': bad }))).to.equal('jwt-invalid: the token has expired');
    const params = [rule({ fromParams: ['t'] })];
    expect(await fault(params, { query: `t=${good}&t=x` })).to.equal('jwt-invalid: it is no JWT with an issuer');
    expect(await fault(params, { query: 't=1&t=2&t=3&t=4&t=5' })).to.match(/has 5 tokens, 4 are read/);
  });
});

describe('what a token changes', () => {
  const outputs: Partial<JwtRule> = {
    outputPayloadToHeader: 'X-Payload',
    outputClaimToHeaders: [
      { header: 'x-sub', claim: 'sub' },
      { header: 'x-level', claim: 'level' },
      { header: 'x-role', claim: 'realm.role' },
      { header: 'x-list', claim: 'list' },
      { header: 'x-name', claim: 'name' },
      { header: 'x-evil', claim: 'evil' },
    ],
  };

  it('goes to headers only it may set', async () => {
    const claims = { sub: 'alice', level: 3, realm: { role: 'teller' }, list: ['a'], name: 'Zoë', evil: 'a\r\nb: c' };
    const token = await bank.sign(claims);
    const { changes } = await accepted([rule(outputs)], bearing(token));
    expect(changes.set).to.deep.equal({
      'x-payload': token.split('.')[1],
      'x-sub': 'alice',
      'x-level': '3',
      'x-role': 'teller',
      'x-name': 'ZoÃ«',
    });
    expect(changes.remove).to.have.members(['authorization', 'x-list', 'x-evil']);
  });

  it('is taken out of a request without a token', async () => {
    const { changes } = await accepted([rule(outputs)], { headers: { 'x-sub': 'mallory' } });
    expect(changes).to.deep.equal({
      set: {},
      remove: ['x-sub', 'x-level', 'x-role', 'x-list', 'x-name', 'x-evil', 'x-payload'],
    });
  });

  it('is not the token itself where the service asks for it', async () => {
    const token = await bank.sign({ sub: 'alice' });
    expect((await accepted([rule({ forwardOriginalToken: true })], bearing(token))).changes.remove).to.deep.equal([]);
  });

  it('is decided at once for a request without a token', () => {
    const authenticator = new JwtAuthenticator([{ key: 'k', rules: [rule()] }], {
      clock: new FakeClock(),
      keysOf: () => staticKeys(undefined),
    });
    expect(authenticator.authenticate(request(), staying)).not.to.be.instanceOf(Promise);
  });
});

describe('keys that cannot be had', () => {
  it('make a token neither good nor bad', async () => {
    const { jwks: _none, ...without } = rule();
    const outcome = await fault([{ ...without, jwksUri: 'https://login.bank/keys' }], bearing(await bank.sign({ sub: 'a' })));
    expect(outcome).to.equal(`jwks-unavailable: no keys of issuer ${login}: check https://login.bank/keys`);
  });
});

describe('a RequestAuthentication that cannot be read', () => {
  const bearer = { fromHeaders: [], fromParams: [], outputs: [] };
  const refusal = (outcome: TokensAccepted | Refused): Refused['failure'] => {
    if (outcome.kind !== 'refused') throw new Error('accepted');
    return outcome.failure;
  };

  it('accepts no token where it looks, says so in its name, and takes nothing from a request without one', async () => {
    const token = await bank.sign({ sub: 'alice', exp: nowSeconds + 60 });
    for (const [presented, why] of [
      [token, `${lost} cannot be read`],
      ['garbage', 'it is no JWT with an issuer'],
    ] as const) {
      const failure = refusal(await authenticate([], bearing(presented), lostBy([bearer])));
      expect(failure).to.deep.include({ kind: 'jwt-invalid', policy: lost });
      expect(failure.detail).to.match(new RegExp(`is not accepted: ${why}$`));
      expect(failure.headers?.['www-authenticate']).to.contain(`error_description="${why}"`);
    }
    expect(await authenticate([], {}, lostBy([bearer]))).to.deep.equal({ kind: 'accepted', changes: { set: {}, remove: [] } });
  });

  it('leaves a token to a rule beside it that knows its issuer', async () => {
    const token = await bank.sign({ sub: 'alice', exp: nowSeconds + 60 });
    const outcome = await authenticate([rule()], bearing(token), lostBy([bearer]));
    expect(outcome.kind === 'accepted' && outcome.token?.principal).to.equal(`${login}/alice`);
    const expired = await bank.sign({ sub: 'alice', exp: nowSeconds - 3600 });
    expect(refusal(await authenticate([rule()], bearing(expired), lostBy([bearer]))).policy).to.contain('ledger/login');
    const strange = await other.sign({ sub: 'bob', exp: nowSeconds + 60 });
    expect(refusal(await authenticate([rule()], bearing(strange), lostBy([bearer]))).policy).to.equal(lost);
  });

  it('looks in its own places only', async () => {
    const token = await bank.sign({ sub: 'alice', exp: nowSeconds + 60 });
    const own = lostBy([{ fromHeaders: [{ name: 'x-jwt', prefix: '' }], fromParams: ['jwt'], outputs: [] }]);
    expect((await authenticate([], bearing(token), own)).kind).to.equal('accepted');
    expect(refusal(await authenticate([], { headers: { 'x-jwt': token } }, own)).policy).to.equal(lost);
    expect(refusal(await authenticate([], { query: `jwt=${token}` }, own)).policy).to.equal(lost);
  });

  it('keeps its headers from everybody', async () => {
    const own = lostBy([{ ...bearer, outputs: ['x-user'] }]);
    const outcome = await authenticate([], { headers: { 'x-user': 'root' } }, own);
    expect(outcome.kind === 'accepted' && outcome.changes.remove).to.deep.equal(['x-user']);
  });

  it('refuses every request where nobody knows its tokens, one that is good for others too', async () => {
    const token = await bank.sign({ sub: 'alice', exp: nowSeconds + 60 });
    for (const asked of [{}, bearing(token)]) {
      const failure = refusal(await authenticate([rule()], asked, lostBy('all')));
      expect(failure).to.deep.include({ kind: 'jwt-invalid', policy: lost });
      expect(failure.detail).to.match(/ledger\/lost cannot be read, so that nobody knows its tokens/);
    }
  });
});
