import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { RateLimitKeyPart } from '@clearmesh/shared/model/l7/rate-limit';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { RateLimiter } from '../../src/shape/rate-limit.ts';
import type { RateLimitOutcome } from '../../src/shape/rate-limit.ts';
import { joinedHeaders } from '../../src/shape/rate-limit-fields.ts';
import { bucketName, hashedBucketName } from '../../src/shape/rate-limit-key.ts';
import { compiled, limit, policy } from './rate-limits.ts';
import { request } from './requests.ts';

function setUp(units: readonly number[] = [0]): { clock: FakeClock; limiter: RateLimiter } {
  const clock = new FakeClock();
  return { clock, limiter: new RateLimiter({}, { clock, random: new FakeRandom(units), redis: { get: () => undefined } }) };
}

function shown(outcome: RateLimitOutcome): string {
  return outcome.kind === 'allowed' ? 'allowed' : `${outcome.failure.kind} ${outcome.failure.rule ?? ''}`;
}

const per = (...parts: readonly RateLimitKeyPart['kind'][]): RateLimitKeyPart[] =>
  parts.map((kind) => (kind === 'header' ? { kind, name: 'x-channel' } : { kind }));

describe('RateLimiter, in this process (B9)', () => {
  it('allows everything without limits', async () => {
    const { limiter } = setUp();
    expect(limiter.checkLocal(compiled(), request())).to.deep.equal({ kind: 'allowed', headers: {}, shadowed: [] });
    expect(await limiter.checkGlobal(compiled(), request())).to.deep.equal({ kind: 'allowed', headers: {}, shadowed: [] });
  });

  it('lets a burst through, then as many as are refilled', () => {
    const { clock, limiter } = setUp();
    const rules = compiled(policy([limit({ burst: 3 })]));
    const outcomes = Array.from({ length: 4 }, () => limiter.checkLocal(rules, request()).kind);
    expect(outcomes).to.deep.equal(['allowed', 'allowed', 'allowed', 'refused']);
    clock.advance(99);
    expect(limiter.checkLocal(rules, request()).kind).to.equal('refused');
    clock.advance(1);
    expect([limiter.checkLocal(rules, request()).kind, limiter.checkLocal(rules, request()).kind]).to.deep.equal([
      'allowed',
      'refused',
    ]);
  });

  it('counts only what matches', () => {
    const { limiter } = setUp();
    const rules = compiled(policy([limit({ burst: 1, matches: [{ method: 'POST', headers: [], query: [] }] })]));
    const outcomes = ['GET', 'POST', 'GET', 'POST'].map((method) => limiter.checkLocal(rules, request({ method })).kind);
    expect(outcomes).to.deep.equal(['allowed', 'allowed', 'allowed', 'refused']);
  });

  const keys: readonly {
    title: string;
    key: RateLimitKeyPart[];
    other: Parameters<typeof request>[0];
    template?: [string, string];
    apart: boolean;
  }[] = [
    { title: 'everybody together without a key', key: [], other: { caller: 'bank/other' }, apart: false },
    { title: 'each identity apart', key: per('identity'), other: { caller: 'bank/other' }, apart: true },
    { title: 'identities of one namespace together', key: per('namespace'), other: { caller: 'bank/other' }, apart: false },
    { title: 'each namespace apart', key: per('namespace'), other: { caller: 'cards/payments' }, apart: true },
    { title: 'each value of a header apart', key: per('header'), other: { headers: { 'x-channel': 'web' } }, apart: true },
    { title: 'each method apart', key: per('method'), other: { method: 'GET' }, apart: true },
    { title: 'each path apart', key: per('path'), other: { path: '/refunds' }, apart: true },
    {
      title: 'paths of one template together',
      key: per('path'),
      other: { path: '/refunds' },
      template: ['/{kind}', '/{kind}'],
      apart: false,
    },
    { title: 'templates apart', key: per('path'), other: {}, template: ['/{kind}', '/payments'], apart: true },
    { title: 'parts together', key: per('namespace', 'method'), other: { caller: 'bank/other' }, apart: false },
  ];
  for (const { title, key, other, template, apart } of keys)
    it(`counts ${title}`, () => {
      const { limiter } = setUp();
      const rules = compiled(policy([limit({ burst: 1, key })]));
      expect(limiter.checkLocal(rules, request(), template?.[0]).kind).to.equal('allowed');
      expect(limiter.checkLocal(rules, request(other), template?.[1]).kind).to.equal(apart ? 'allowed' : 'refused');
      expect(limiter.checkLocal(rules, request(), template?.[0]).kind).to.equal('refused');
    });

  it('keeps values apart that hold the separator', () => {
    const [rule] = compiled(
      policy([
        limit({
          key: [
            { kind: 'header', name: 'a' },
            { kind: 'header', name: 'b' },
          ],
        }),
      ]),
    ).local;
    const name = (a: string, b: string): string => bucketName(rule!, request({ headers: { a, b } }), undefined);
    expect(name('x|1:y', '')).to.not.equal(name('x', 'y'));
  });

  it('keeps bucket names short, whatever a caller sends, and says nothing about it in a shared store', () => {
    const [rule] = compiled(policy([limit({ key: per('header') })])).local;
    const long = request({ headers: { 'x-channel': 'DE02'.repeat(10_000) } });
    expect(bucketName(rule!, long, undefined).length).to.be.below(200);
    expect(hashedBucketName(rule!, long, undefined)).to.match(/^rl:[\w-]{59}$/);
  });

  it('takes nothing from the limit of all for a caller over his own', () => {
    const { limiter } = setUp();
    const rules = compiled(policy([limit({ name: 'each', burst: 1, key: per('identity') }), limit({ burst: 2 })]));
    const callers = ['bank/a', 'bank/a', 'bank/a', 'bank/b', 'bank/c'];
    const outcomes = callers.map((caller) => shown(limiter.checkLocal(rules, request({ caller }))));
    expect(outcomes).to.deep.equal(['allowed', 'rate-limited each', 'rate-limited each', 'allowed', 'rate-limited total']);
  });

  it('names the limit of all before that of each', () => {
    const { limiter } = setUp();
    const rules = compiled(policy([limit({ name: 'each', burst: 1, key: per('identity') }), limit({ burst: 1 })]));
    limiter.checkLocal(rules, request());
    expect(shown(limiter.checkLocal(rules, request()))).to.equal('rate-limited total');
  });

  it('reports what a shadow limit would have refused, and lets it through', () => {
    const { clock, limiter } = setUp();
    const rules = compiled(policy([limit({ name: 'trial', burst: 1, shadow: true }), limit()]));
    const shadowed = (): readonly string[] => limiter.checkLocal(rules, request()).shadowed;
    expect([shadowed(), shadowed()]).to.deep.equal([[], ['RateLimitPolicy bank/limits: trial']]);
    clock.advance(100);
    expect(shadowed()).to.deep.equal([]);
  });

  it('tells nothing of shadow limits to callers', () => {
    const { limiter } = setUp();
    const rules = compiled(policy([limit({ shadow: true })]));
    expect(limiter.checkLocal(rules, request())).to.deep.include({ kind: 'allowed', headers: {} });
  });

  it('keeps counting when the configuration is applied again, and starts anew when a limit changed', () => {
    const { limiter } = setUp();
    limiter.checkLocal(compiled(policy([limit({ burst: 1 })])), request());
    expect(limiter.checkLocal(compiled(policy([limit({ burst: 1 })])), request()).kind).to.equal('refused');
    expect(limiter.checkLocal(compiled(policy([limit({ burst: 1, requests: 20 })])), request()).kind).to.equal('allowed');
  });
});

describe('RateLimit fields (draft-11)', () => {
  it('tell every policy, and what is left of the tightest', () => {
    const { limiter } = setUp();
    const rules = compiled(
      policy([limit({ requests: 100, burst: 100, windowMs: 60_000 }), limit({ name: 'my "own"', key: per('identity') })]),
    );
    const outcome = limiter.checkLocal(rules, request());
    expect(outcome.kind === 'allowed' && outcome.headers).to.deep.equal({
      'ratelimit-policy': String.raw`"total";q=100;w=60, "my \"own\"";q=10;w=1`,
      ratelimit: String.raw`"my \"own\"";r=9;t=1`,
    });
  });

  it('tell a refused caller when to come back', () => {
    const { limiter } = setUp();
    const rules = compiled(policy([limit({ requests: 1, burst: 1, windowMs: 20_000 })]));
    limiter.checkLocal(rules, request());
    const outcome = limiter.checkLocal(rules, request());
    if (outcome.kind !== 'refused') throw new Error('allowed');
    const { headers, body, policy: by } = outcome.failure;
    expect(headers).to.deep.equal({
      'content-type': 'application/problem+json',
      'retry-after': '20',
      'ratelimit-policy': '"total";q=1;w=20',
      ratelimit: '"total";r=0;t=20',
      'x-envoy-ratelimited': 'true',
    });
    expect(by).to.equal('RateLimitPolicy bank/limits');
    expect(JSON.parse(body ?? '')).to.deep.include({
      type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
      status: 429,
      'violated-policies': ['total'],
    });
  });

  for (const unit of [0, 0.25, 0.999])
    it(`never send a caller back too early (jitter ${unit})`, () => {
      const { clock, limiter } = setUp([unit]);
      const rules = compiled(policy([limit({ requests: 1, burst: 1, windowMs: 20_000 })]));
      limiter.checkLocal(rules, request());
      const outcome = limiter.checkLocal(rules, request());
      const after = Number(outcome.kind === 'refused' && outcome.failure.headers?.['retry-after']);
      expect(after).to.be.within(20, 25);
      clock.advance(after * 1_000);
      expect(limiter.checkLocal(rules, request()).kind).to.equal('allowed');
    });

  it('have a time to come back even for a limit of nothing', () => {
    const { limiter } = setUp();
    const outcome = limiter.checkLocal(compiled(policy([limit({ requests: 0, burst: 0 })])), request());
    expect(outcome.kind === 'refused' && outcome.failure.headers?.['retry-after']).to.equal('86400');
  });

  it('are joined with a service’s own', () => {
    expect(
      joinedHeaders({ ratelimit: '"app";r=1;t=1' }, { ratelimit: '"total";r=9;t=1', 'ratelimit-policy': 'p' }),
    ).to.deep.equal({
      ratelimit: '"app";r=1;t=1, "total";r=9;t=1',
      'ratelimit-policy': 'p',
    });
  });
});

describe('RateLimiter without its store', () => {
  const store = { kind: 'redis', url: 'redis://127.0.0.1:1/0', timeoutMs: 100 } as const;
  const global = limit({ scope: 'global', burst: 1 });

  it('lets everything through and says so where the policy allows it', async () => {
    const { limiter } = setUp();
    const rules = compiled(policy([global], { store, onStoreFailure: 'allow' }));
    for (let count = 0; count < 3; count++)
      expect(await limiter.checkGlobal(rules, request())).to.deep.equal({
        kind: 'allowed',
        headers: {},
        shadowed: [],
        storeFailure: 'no connection to redis://127.0.0.1:1/0',
      });
  });

  it('refuses where the policy asks for it', async () => {
    const { limiter } = setUp();
    const outcome = await limiter.checkGlobal(compiled(policy([global], { store, onStoreFailure: 'deny' })), request());
    if (outcome.kind !== 'refused') throw new Error('allowed');
    expect(outcome.failure).to.include({ kind: 'rate-limit-unavailable', policy: 'RateLimitPolicy bank/limits' });
    expect(JSON.parse(outcome.failure.body ?? '')).to.include({
      type: 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity',
      status: 503,
    });
  });

  it('refuses nobody for the sake of a shadow limit', async () => {
    const { limiter } = setUp();
    const rules = compiled(policy([limit({ scope: 'global', shadow: true })], { store, onStoreFailure: 'deny' }));
    expect((await limiter.checkGlobal(rules, request())).kind).to.equal('allowed');
  });

  it('counts here alone where the policy asks for it', async () => {
    const { limiter } = setUp();
    const rules = compiled(policy([global], { store, onStoreFailure: 'local' }));
    expect((await limiter.checkGlobal(rules, request())).kind).to.equal('allowed');
    expect(shown(await limiter.checkGlobal(rules, request()))).to.equal('rate-limited total');
  });

  it('counts a global limit here where its policy has no store', () => {
    const { limiter } = setUp();
    const rules = compiled(policy([global]));
    expect([limiter.checkLocal(rules, request()).kind, limiter.checkLocal(rules, request()).kind]).to.deep.equal([
      'allowed',
      'refused',
    ]);
  });
});
