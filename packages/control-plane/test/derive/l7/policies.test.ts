import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { WaypointConfiguration } from '@clearmesh/shared/model/l7/configuration';
import {
  configurationFrom,
  gatewayText,
  namespaceText,
  objectText,
  serviceTarget,
  serviceText,
} from '../../fixtures/manifest-text.ts';

const labels = { 'istio.io/use-waypoint': 'gate' };
const base = `${gatewayText('gate')}${serviceText('ledger', { labels })}`;
const targetRefs = [serviceTarget('ledger')];

function policiesOf(kind: string, spec: object, namespace = namespaceText('ledger')): WaypointConfiguration['policies'] {
  return configurationFrom(`${namespace}${base}${objectText(kind, 'p', { targetRefs, ...spec })}`, 'ledger/gate').policies;
}

describe('a ResiliencePolicy', () => {
  const of = (spec: object): unknown => policiesOf('ResiliencePolicy', spec).resilience['ResiliencePolicy ledger/p'];

  it('has the defaults of the model', () => {
    expect(of({})).to.deep.equal({
      class: 'standard',
      timeouts: { idleMs: 300_000, connectMs: 5000, minServiceMs: 0 },
      retry: {
        attempts: 1,
        on: ['connect-failure', 'refused-stream', 'reset-before-request'],
        statusCodes: [],
        backoff: { baseMs: 25, maxMs: 250 },
        budget: { percent: 20, intervalMs: 10_000, minPerSecond: 10 },
        maxReplayBytes: 65_536,
        grpcIdempotent: [],
      },
      limits: { maxConnections: 1024, maxPending: 1024, maxRequests: 1024, maxRetries: 3, maxUpgraded: 16_384 },
      loadBalancing: { initialRttMs: 30, decayMs: 10_000 },
    });
  });

  it('fills in what is left out of each part', () => {
    expect(
      of({ class: 'money-movement', idempotency: { mode: 'key' }, circuitBreaker: {}, outlierDetection: {} }),
    ).to.deep.include({
      idempotency: {
        mode: 'key',
        header: 'idempotency-key',
        required: false,
        ttlMs: 86_400_000,
        leaseMs: 60_000,
        store: { kind: 'memory' },
        methods: ['POST', 'PATCH'],
        maxBodyBytes: 262_144,
        waitReplicas: 0,
      },
      circuitBreaker: { errorThresholdPercent: 50, volumeThreshold: 20, windowMs: 10_000, openMs: 1000, maxOpenMs: 60_000 },
      outlierDetection: {
        consecutive5xx: 5,
        consecutiveLocal: 5,
        intervalMs: 10_000,
        baseEjectionMs: 30_000,
        maxEjectionMs: 300_000,
        panicPercent: 50,
        panic: 'fail',
      },
    });
    expect(of({ outlierDetection: {} })).to.have.nested.property('outlierDetection.panic', 'spread');
  });

  it('says what its author says', () => {
    const spec = {
      timeouts: { request: '10s', backendRequest: '2s', idle: '1m', connect: '1s', minService: '200ms' },
      retry: {
        attempts: 2,
        conditions: ['reset'],
        backoff: { base: '10ms' },
        budget: { percent: 5 },
        grpcIdempotent: ['/a.B/C'],
      },
      idempotency: {
        mode: 'native',
        header: 'X-Idempotency-Key',
        redis: { url: 'redis://r:6379/1', timeout: '50ms' },
        waitReplicas: 1,
      },
      limits: { maxRequestBytes: 1024 },
    };
    expect(of(spec)).to.deep.include({
      timeouts: { requestMs: 10_000, backendRequestMs: 2000, idleMs: 60_000, connectMs: 1000, minServiceMs: 200 },
    });
    expect(of(spec)).to.have.nested.property('retry.backoff.maxMs', 100);
    expect(of(spec)).to.have.nested.property('idempotency.header', 'x-idempotency-key');
    expect(of(spec)).to.deep.nested.include({ 'idempotency.store': { kind: 'redis', url: 'redis://r:6379/1', timeoutMs: 50 } });
    expect(of(spec)).to.have.nested.property('limits.maxRequestBytes', 1024);
  });

  it('takes no timeout for 0s', () => {
    expect(of({ timeouts: { request: '0s' } })).to.not.have.nested.property('timeouts.requestMs');
  });
});

describe('a RateLimitPolicy', () => {
  const of = (spec: object): unknown => policiesOf('RateLimitPolicy', spec).rateLimits['RateLimitPolicy ledger/p'];

  it('has the defaults of the model', () => {
    expect(of({ limits: [{ name: 'all', requests: 100, window: '1m' }] })).to.deep.equal({
      key: 'RateLimitPolicy ledger/p',
      limits: [{ name: 'all', scope: 'local', matches: [], key: [], requests: 100, windowMs: 60_000, burst: 100, shadow: false }],
      onStoreFailure: 'allow',
    });
  });

  it('says what its author says', () => {
    const key = [{ type: 'identity' }, { type: 'header', name: 'X-Customer' }];
    const limit = { name: 'each', scope: 'global', requests: 10, window: '1s', burst: 20, key, matches: [{ method: 'POST' }] };
    expect(
      of({ limits: [limit], redis: { url: 'redis://r', passwordFile: '/run/secrets/r' }, onStoreFailure: 'deny' }),
    ).to.deep.equal({
      key: 'RateLimitPolicy ledger/p',
      limits: [
        {
          name: 'each',
          scope: 'global',
          matches: [{ method: 'POST', headers: [], query: [] }],
          key: [{ kind: 'identity' }, { kind: 'header', name: 'x-customer' }],
          requests: 10,
          windowMs: 1000,
          burst: 20,
          shadow: false,
        },
      ],
      store: { kind: 'redis', url: 'redis://r', passwordFile: '/run/secrets/r', timeoutMs: 100 },
      onStoreFailure: 'deny',
    });
  });
});

describe('an OpaPolicy', () => {
  const of = (spec: object): unknown => policiesOf('OpaPolicy', spec).opa['OpaPolicy ledger/p'];

  it('has the defaults of the model', () => {
    expect(of({ engine: { wasm: { bundle: '/etc/opa/bundle.tar.gz' } }, body: {} })).to.deep.equal({
      key: 'OpaPolicy ledger/p',
      engine: { kind: 'wasm', bundle: '/etc/opa/bundle.tar.gz', watchdogMs: 50 },
      path: 'envoy/authz/allow',
      timeoutMs: 200,
      body: { maxBytes: 65_536, allowPartial: false },
      contextExtensions: {},
    });
  });

  it('says what its author says', () => {
    const spec = {
      engine: { server: { url: 'http://127.0.0.1:8181' } },
      path: 'bank/allow',
      timeout: '1s',
      cache: { ttl: '5s', inputs: ['attributes.request.http.method'] },
      contextExtensions: { domain: 'ledger' },
    };
    expect(of(spec)).to.deep.equal({
      key: 'OpaPolicy ledger/p',
      engine: { kind: 'server', url: 'http://127.0.0.1:8181' },
      path: 'bank/allow',
      timeoutMs: 1000,
      cache: { ttlMs: 5000, inputs: ['attributes.request.http.method'] },
      contextExtensions: { domain: 'ledger' },
    });
  });
});

describe('a RequestAuthentication', () => {
  it('carries its rules, names of headers in lower case', () => {
    const jwtRules = [
      {
        issuer: 'https://idp.example',
        jwksUri: 'https://idp.example/keys',
        fromHeaders: [{ name: 'X-Token', prefix: 'Bearer ' }],
        outputPayloadToHeader: 'X-Claims',
        outputClaimToHeaders: [{ header: 'X-Sub', claim: 'sub' }],
      },
    ];
    expect(policiesOf('RequestAuthentication', { jwtRules }).jwt['RequestAuthentication ledger/p']).to.deep.equal({
      key: 'RequestAuthentication ledger/p',
      rules: [
        {
          issuer: 'https://idp.example',
          audiences: [],
          jwksUri: 'https://idp.example/keys',
          fromHeaders: [{ name: 'x-token', prefix: 'Bearer ' }],
          fromParams: [],
          forwardOriginalToken: false,
          outputPayloadToHeader: 'x-claims',
          outputClaimToHeaders: [{ header: 'x-sub', claim: 'sub' }],
        },
      ],
    });
  });
});

describe('an AuthorizationPolicy for a waypoint', () => {
  it('carries its rules as written', () => {
    const rules = [
      {
        from: [{ source: { principals: ['*'], notNamespaces: ['dev'] } }],
        to: [{ operation: { methods: ['GET'], paths: ['/a/*'] } }],
        when: [{ key: 'request.headers[x-desk]', values: ['north'] }],
      },
    ];
    expect(
      policiesOf('AuthorizationPolicy', { action: 'DENY', rules }).authorization['AuthorizationPolicy ledger/p'],
    ).to.deep.equal({
      key: 'AuthorizationPolicy ledger/p',
      namespace: 'ledger',
      action: 'DENY',
      dryRun: false,
      rules: [
        {
          from: [{ principals: ['*'], notNamespaces: ['dev'] }],
          to: [{ methods: ['GET'], paths: ['/a/*'] }],
          when: [{ key: 'request.headers[x-desk]', values: ['north'] }],
        },
      ],
    });
  });
});

describe('a FaultExperiment', () => {
  const test = namespaceText('ledger', { 'clearmesh.io/environment': 'test' });
  const startsAt = '2026-01-01T00:00:00Z';
  const people = { owner: 'ann', approver: 'ben' };
  const of = (spec: object): unknown =>
    policiesOf('FaultExperiment', { startsAt, ...people, ...spec }, test).faults['FaultExperiment ledger/p'];

  it('has the defaults of the model, and ends by itself', () => {
    expect(of({ delay: '100ms' })).to.deep.equal({
      key: 'FaultExperiment ledger/p',
      startsAtMs: Date.UTC(2026, 0, 1),
      endsAtMs: Date.UTC(2026, 0, 1, 0, 15),
      owner: 'ann',
      approver: 'ben',
      matches: [],
      callers: [],
      percent: 1,
      maxActive: 10,
      delayMs: 100,
      reset: false,
    });
  });

  it('names callers by their whole identity', () => {
    const callers = ['branches/teller', 'spiffe://other.example/ns/a/sa/b'];
    expect(of({ reset: true, callers })).to.have.deep.property('callers', [
      'spiffe://cluster.local/ns/branches/sa/teller',
      'spiffe://other.example/ns/a/sa/b',
    ]);
  });
});
