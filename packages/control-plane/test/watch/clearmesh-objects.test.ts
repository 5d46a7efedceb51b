/** Policies of clearmesh.io that are refused. */
import { describe, it } from 'mocha';
import { expect } from 'chai';
import { objectText, serviceTarget } from '../fixtures/manifest-text.ts';
import { problems, refuses } from './refusals.ts';

const targetRefs = [serviceTarget('ledger')];
const resilience = (spec: object): string => objectText('ResiliencePolicy', 'p', { targetRefs, ...spec });
const limit = (spec: object, more: object = {}): string =>
  objectText('RateLimitPolicy', 'p', { targetRefs, limits: [{ name: 'a', requests: 1, window: '1s', ...spec }], ...more });
const opa = (spec: object): string =>
  objectText('OpaPolicy', 'p', { targetRefs, engine: { server: { url: 'http://o:8181' } }, ...spec });
const fault = (spec: object): string =>
  objectText('FaultExperiment', 'p', {
    targetRefs,
    startsAt: '2026-01-01T00:00:00Z',
    owner: 'ann',
    approver: 'ben',
    delay: '1s',
    ...spec,
  });

describe('a ResiliencePolicy', () => {
  it('for Service, Gateway and Namespace is accepted', () => {
    const targets = [
      ...targetRefs,
      { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'g' },
      { kind: 'Namespace', name: 'ledger' },
    ];
    expect(problems(resilience({ targetRefs: targets }))).to.deep.equal([]);
  });

  refuses([
    [
      'no targets',
      resilience({ targetRefs: [] }),
      'spec.targetRefs',
      /would do nothing/,
      /Service, ServiceEntry, Gateway, Namespace/,
    ],
    ['the list of targets missing', objectText('ResiliencePolicy', 'p', {}), 'spec.targetRefs', /missing/, /Add/],
    [
      'the namespace of others',
      resilience({ targetRefs: [{ kind: 'Namespace', name: 'bank' }] }),
      'spec.targetRefs[0].name "bank"',
      /own namespace/,
      /Write ledger/,
    ],
    [
      'a class as target',
      resilience({ targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'GatewayClass', name: 'c' }] }),
      'spec.targetRefs[0].kind "GatewayClass"',
      /must be one of/,
      /Write one of|Did you mean/,
    ],
    [
      'a mistyped field',
      resilience({ timeout: { request: '1s' } }),
      'spec.timeout {"request":"1s"}',
      /not a known field/,
      /timeouts\?/,
    ],
    ['an unknown class', resilience({ class: 'money' }), 'spec.class "money"', /standard, money-movement/, /./],
    [
      'an unknown condition',
      resilience({ retry: { conditions: ['rset'] } }),
      'spec.retry.conditions[0] "rset"',
      /must be one of/,
      /reset\?/,
    ],
    ['more attempts than ten', resilience({ retry: { attempts: 11 } }), 'spec.retry.attempts 11', /<= 10/, /from 0 to 10/],
    [
      'codes nobody reads',
      resilience({ retry: { statusCodes: [503] } }),
      'spec.retry.statusCodes [503]',
      /no effect/,
      /spec\.retry\.conditions/,
    ],
    [
      'codes that are missing',
      resilience({ retry: { conditions: ['retriable-status-codes'] } }),
      'spec.retry.statusCodes',
      /missing/,
      /Name the codes/,
    ],
    [
      'an attempt longer than the request',
      resilience({ timeouts: { request: '1s', backendRequest: '2s' } }),
      'spec.timeouts.backendRequest "2s"',
      /longer than request/,
      /at most 1s/,
    ],
    [
      'a back-off that shrinks',
      resilience({ retry: { backoff: { base: '1s', max: '25ms' } } }),
      'spec.retry.backoff.base "1s"',
      /longer than max/,
      /at most 25ms/,
    ],
    [
      'a window of nothing',
      resilience({ circuitBreaker: { window: '0s' } }),
      'spec.circuitBreaker.window "0s"',
      /longer than nothing/,
      /10s/,
    ],
    [
      'a store with its password',
      resilience({ idempotency: { mode: 'key', redis: { url: 'redis://:secret@r:6379' } } }),
      'spec.idempotency.redis.url "redis://…@r:6379"',
      /without credentials/,
      /passwordFile/,
    ],
    [
      'a store that is none',
      resilience({ idempotency: { mode: 'key', redis: { url: 'http://r' } } }),
      'spec.idempotency.redis.url "http://r"',
      /redis:\/\//,
      /redis:/,
    ],
    [
      'replicas of no store',
      resilience({ idempotency: { mode: 'key', waitReplicas: 1 } }),
      'spec.idempotency.waitReplicas 1',
      /store that is none/,
      /redis/,
    ],
    [
      'a header that is none',
      resilience({ idempotency: { mode: 'key', header: 'a b' } }),
      'spec.idempotency.header "a b"',
      /header/,
      /idempotency-key/,
    ],
    [
      'a gRPC method that is none',
      resilience({ retry: { grpcIdempotent: ['Get'] } }),
      'spec.retry.grpcIdempotent[0] "Get"',
      /gRPC method/,
      /\/ledger/,
    ],
    [
      'more than all',
      resilience({ outlierDetection: { panicPercent: 101 } }),
      'spec.outlierDetection.panicPercent 101',
      /<= 100/,
      /from 0 to 100/,
    ],
  ]);
});

describe('a RateLimitPolicy', () => {
  refuses([
    ['no limit', objectText('RateLimitPolicy', 'p', { targetRefs, limits: [] }), 'spec.limits', /empty/, /Add a limit/],
    ['a global limit without store', limit({ scope: 'global' }), 'spec.limits[0].scope "global"', /needs a store/, /spec\.redis/],
    ['a header without name', limit({ key: [{ type: 'header' }] }), 'spec.limits[0].key[0].name', /missing/, /Name the header/],
    [
      'a name of no header',
      limit({ key: [{ type: 'path', name: 'x' }] }),
      'spec.limits[0].key[0].name "x"',
      /no effect/,
      /Remove/,
    ],
    ['a key of no kind', limit({ key: [{ type: 'ip' }] }), 'spec.limits[0].key[0].type "ip"', /must be one of/, /./],
    ['a window of nothing', limit({ window: '0s' }), 'spec.limits[0].window "0s"', /longer than nothing/, /./],
    ['no requests', limit({ requests: 0 }), 'spec.limits[0].requests 0', />= 1/, /from 1 to/],
    ['a name with a quote', limit({ name: 'a"b' }), 'spec.limits[0].name "a\\"b"', /letters, digits/, /letters/],
    [
      'a name twice',
      objectText('RateLimitPolicy', 'p', {
        targetRefs,
        limits: [1, 2].map((requests) => ({ name: 'a', requests, window: '1s' })),
      }),
      'spec.limits[1].name "a"',
      /twice/,
      /once/,
    ],
    [
      'more parts of a key than eight',
      limit({ key: Array.from({ length: 9 }, () => ({ type: 'path' })) }),
      `spec.limits[0].key ${JSON.stringify(Array.from({ length: 9 }, () => ({ type: 'path' }))).slice(0, 117)}…`,
      /more than 8 entries/,
      /second object/,
    ],
    [
      'a match that never matches',
      limit({ matches: [{ path: { value: 'x' } }] }),
      'spec.limits[0].matches[0].path.value "x"',
      /begin with/,
      /\/x/,
    ],
  ]);
});

describe('an OpaPolicy', () => {
  refuses([
    ['no engine', opa({ engine: {} }), 'spec.engine', /no engine/, /one of wasm and server/],
    [
      'two engines',
      opa({ engine: { wasm: { bundle: 'b' }, server: { url: 'http://o' } } }),
      'spec.engine',
      /two engines/,
      /one of/,
    ],
    [
      'a server that is no URL',
      opa({ engine: { server: { url: 'o:8181' } } }),
      'spec.engine.server.url "o:8181"',
      /http:/,
      /http:/,
    ],
    ['a rule that is no path', opa({ path: 'data.envoy' }), 'spec.path "data.envoy"', /path of a rule/, /envoy\/authz/],
    ['decisions kept too long', opa({ cache: { ttl: '31s', inputs: ['a'] } }), 'spec.cache.ttl "31s"', /too long/, /30s/],
    [
      'decisions kept for everybody',
      opa({ cache: { ttl: '1s', inputs: [] } }),
      'spec.cache.inputs',
      /every request/,
      /attributes/,
    ],
    ['no time to decide', opa({ timeout: '0s' }), 'spec.timeout "0s"', /longer than nothing/, /./],
    ['no bundle', opa({ engine: { wasm: { bundle: '' } } }), 'spec.engine.wasm.bundle ""', /empty/, /./],
  ]);
});

describe('a FaultExperiment', () => {
  it('as its author should write it is accepted', () => {
    expect(problems(fault({ ttl: '60m', callers: ['bank/teller', 'spiffe://td/ns/a/sa/b'], percent: 0.5 }))).to.deep.equal([]);
  });

  refuses([
    ['no fault', fault({ delay: undefined }), 'spec', /injects no fault/, /delay, abort/],
    ['an hour and more', fault({ ttl: '61m' }), 'spec.ttl "61m"', /longer than an hour/, /60m/],
    ['its owner as approver', fault({ approver: 'Ann ' }), 'spec.approver "Ann "', /not be the owner/, /second person/],
    ['nobody who approved it', fault({ approver: undefined }), 'spec.approver', /missing/, /Add/],
    [
      'a start without zone',
      fault({ startsAt: '2026-01-01T00:00:00' }),
      'spec.startsAt "2026-01-01T00:00:00"',
      /must be a time/,
      /2027-03-31T18/,
    ],
    [
      'a day that no calendar has',
      fault({ startsAt: '2026-02-31T00:00:00Z' }),
      'spec.startsAt "2026-02-31T00:00:00Z"',
      /must be a time/,
      /./,
    ],
    ['more than all', fault({ percent: 101 }), 'spec.percent 101', /<= 100/, /./],
    ['none at all', fault({ percent: 0 }), 'spec.percent 0', /lets nothing happen/, /./],
    [
      'an answer and a reset at once',
      fault({ abort: { status: 503 }, reset: true }),
      'spec.reset true',
      /contradicts abort/,
      /./,
    ],
    ['a status that is none', fault({ abort: { status: 99 } }), 'spec.abort.status 99', />= 200/, /from 200 to 599/],
    ['a caller that is none', fault({ callers: ['teller'] }), 'spec.callers[0] "teller"', /namespace\/account/, /./],
  ]);
});
