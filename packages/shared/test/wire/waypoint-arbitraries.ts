/** Generated waypoint configurations, for properties. */
import fc from 'fast-check';
import { serviceKey } from '@clearmesh/shared/model/names';
import type { ServiceKey } from '@clearmesh/shared/model/names';
import type { BoundService, L7Policies, WaypointConfiguration } from '@clearmesh/shared/model/l7/configuration';
import type { L7AuthorizationPolicy } from '@clearmesh/shared/model/l7/authorization';
import type { FaultExperiment } from '@clearmesh/shared/model/l7/fault';
import type { RequestAuthentication } from '@clearmesh/shared/model/l7/jwt';
import type { OpaPolicy } from '@clearmesh/shared/model/l7/opa';
import type { RateLimitPolicy } from '@clearmesh/shared/model/l7/rate-limit';
import type { KeyValueStore, ResiliencePolicy } from '@clearmesh/shared/model/l7/resilience';
import type { HttpMatch, HttpRoute, PathChange, RouteBackend, RouteFilter } from '@clearmesh/shared/model/l7/route';

const label = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/);
const text = fc.string({ minLength: 1, maxLength: 12, unit: 'grapheme' });
const anyText = fc.string({ maxLength: 12, unit: 'grapheme' });
const texts = fc.array(text, { maxLength: 3 });
const amount = fc.nat(1_000_000);
const positive = fc.integer({ min: 1, max: 1_000_000 });
const percent = fc.oneof(
  fc.nat(100),
  fc.double({ min: 0, max: 100, noNaN: true }).map((value) => value + 0),
);
const port = fc.integer({ min: 1, max: 65_535 });
const status = fc.integer({ min: 200, max: 599 });
const plain = { noNullPrototype: true } as const;
const key: fc.Arbitrary<ServiceKey> = fc.tuple(label, label).map(([namespace, host]) => serviceKey(namespace, host));

/** Every field of `all`, each of `some` perhaps; never one that is present but undefined. */
function record<All extends object, Some extends object>(
  all: { [K in keyof All]: fc.Arbitrary<All[K]> },
  some: { [K in keyof Some]: fc.Arbitrary<Some[K]> },
): fc.Arbitrary<All & Partial<Some>> {
  const required = Object.keys(all) as never[];
  return fc.record({ ...all, ...some }, { requiredKeys: required, ...plain }) as unknown as fc.Arbitrary<All & Partial<Some>>;
}

const namedMatch = fc.record(
  { type: fc.constantFrom('Exact' as const, 'RegularExpression' as const), name: text, value: anyText },
  plain,
);
const httpMatch: fc.Arbitrary<HttpMatch> = record(
  { headers: fc.array(namedMatch, { maxLength: 2 }), query: fc.array(namedMatch, { maxLength: 2 }) },
  {
    path: fc.record(
      { type: fc.constantFrom('Exact' as const, 'PathPrefix' as const, 'RegularExpression' as const), value: anyText },
      plain,
    ),
    method: text,
  },
);
const matches = fc.array(httpMatch, { maxLength: 2 });

const pathChange: fc.Arbitrary<PathChange> = fc.record(
  { type: fc.constantFrom('ReplaceFullPath' as const, 'ReplacePrefixMatch' as const), value: anyText },
  plain,
);
const pairs = fc.array(fc.tuple(text, anyText), { maxLength: 2 });
const backendFields = { service: key, port };
const filter: fc.Arbitrary<RouteFilter> = fc.oneof(
  fc.record(
    { kind: fc.constantFrom('request-headers' as const, 'response-headers' as const), set: pairs, add: pairs, remove: texts },
    plain,
  ),
  record(
    { kind: fc.constant('redirect' as const), status: fc.constantFrom(301 as const, 302 as const, 308 as const) },
    { scheme: fc.constantFrom('http' as const, 'https' as const), hostname: text, port, path: pathChange },
  ),
  record({ kind: fc.constant('rewrite' as const) }, { hostname: text, path: pathChange }),
  fc.record({ kind: fc.constant('mirror' as const), backend: fc.record(backendFields, plain), percent }, plain),
);
const filters = fc.array(filter, { maxLength: 2 });
const backend: fc.Arbitrary<RouteBackend> = fc.oneof(
  fc.record({ kind: fc.constant('service' as const), weight: amount, filters, ...backendFields }, plain),
  fc.record({ kind: fc.constant('invalid' as const), weight: amount, reason: anyText }, plain),
);
const rule: fc.Arbitrary<HttpRoute['rules'][number]> = record(
  {
    matches,
    filters,
    backends: fc.array(backend, { maxLength: 2 }),
    timeouts: record({}, { requestMs: amount, backendRequestMs: amount }),
  },
  { name: text, retry: record({ codes: fc.array(status, { maxLength: 2 }) }, { attempts: amount, backoffMs: amount }) },
);
const route: fc.Arbitrary<HttpRoute> = record(
  { key: text, ports: fc.array(port, { maxLength: 2 }), hostnames: texts, rules: fc.array(rule, { maxLength: 2 }) },
  { createdAtMs: amount },
);

const authorization: fc.Arbitrary<L7AuthorizationPolicy> = fc.record(
  {
    key: text,
    namespace: label,
    action: fc.constantFrom('ALLOW', 'DENY'),
    dryRun: fc.boolean(),
    rules: fc.array(
      record(
        {},
        {
          from: fc.array(record({}, { principals: texts, notIpBlocks: texts, trustDomains: texts }), { maxLength: 2 }),
          to: fc.array(record({}, { methods: texts, notPaths: texts, ports: texts }), { maxLength: 2 }),
          when: fc.array(record({ key: text }, { values: texts, notValues: texts }), { maxLength: 2 }),
        },
      ),
      { maxLength: 2 },
    ),
  },
  plain,
);
const places = {
  fromHeaders: fc.array(fc.record({ name: text, prefix: anyText }, plain), { maxLength: 2 }),
  fromParams: texts,
};
const unread = fc.array(fc.record({ ...places, outputs: texts }, plain), { maxLength: 2 });
const jwtRule = record(
  {
    issuer: text,
    audiences: texts,
    ...places,
    forwardOriginalToken: fc.boolean(),
    outputClaimToHeaders: fc.array(fc.record({ header: text, claim: text }, plain), { maxLength: 2 }),
  },
  { jwks: anyText, jwksUri: anyText, outputPayloadToHeader: text },
);
const jwt: fc.Arbitrary<RequestAuthentication> = fc.oneof(
  fc.record({ key: text, rules: fc.array(jwtRule, { maxLength: 2 }) }, plain),
  fc.record({ key: text, unread: fc.oneof(fc.constant('all' as const), unread) }, plain),
);
const opa: fc.Arbitrary<OpaPolicy> = record(
  {
    key: text,
    engine: fc.oneof(
      fc.record({ kind: fc.constant('wasm' as const), bundle: text, watchdogMs: positive }, plain),
      fc.record({ kind: fc.constant('server' as const), url: text }, plain),
      fc.record({ kind: fc.constant('none' as const), reason: text }, plain),
    ),
    path: text,
    timeoutMs: positive,
    contextExtensions: fc.dictionary(label, anyText, { maxKeys: 2, ...plain }),
  },
  {
    body: fc.record({ maxBytes: amount, allowPartial: fc.boolean() }, plain),
    cache: fc.record({ ttlMs: amount, inputs: texts }, plain),
  },
);
const redis = record({ kind: fc.constant('redis' as const), url: text, timeoutMs: positive }, { passwordFile: text });
const store: fc.Arbitrary<KeyValueStore> = fc.oneof(fc.record({ kind: fc.constant('memory' as const) }, plain), redis);
const resilience: fc.Arbitrary<ResiliencePolicy> = record(
  {
    class: fc.constantFrom('standard' as const, 'money-movement' as const),
    timeouts: record(
      { idleMs: amount, connectMs: amount, minServiceMs: amount },
      { requestMs: amount, backendRequestMs: amount },
    ),
    retry: fc.record(
      {
        attempts: amount,
        on: fc.array(fc.constantFrom('connect-failure' as const, '5xx' as const, 'grpc-internal' as const), { maxLength: 3 }),
        statusCodes: fc.array(status, { maxLength: 2 }),
        backoff: fc.record({ baseMs: amount, maxMs: amount }, plain),
        budget: fc.record({ percent, intervalMs: positive, minPerSecond: amount }, plain),
        maxReplayBytes: amount,
        grpcIdempotent: texts,
      },
      plain,
    ),
    limits: record(
      { maxConnections: amount, maxPending: amount, maxRequests: amount, maxRetries: amount, maxUpgraded: amount },
      { maxRequestBytes: amount },
    ),
    loadBalancing: fc.record({ initialRttMs: positive, decayMs: positive }, plain),
  },
  {
    idempotency: fc.record(
      {
        mode: fc.constantFrom('key' as const, 'native' as const),
        header: text,
        required: fc.boolean(),
        ttlMs: positive,
        leaseMs: positive,
        store,
        methods: texts,
        maxBodyBytes: amount,
        waitReplicas: amount,
      },
      plain,
    ),
    circuitBreaker: fc.record(
      { errorThresholdPercent: percent, volumeThreshold: amount, windowMs: positive, openMs: positive, maxOpenMs: positive },
      plain,
    ),
    outlierDetection: record(
      {
        consecutive5xx: amount,
        consecutiveLocal: amount,
        intervalMs: positive,
        baseEjectionMs: positive,
        maxEjectionMs: positive,
        panicPercent: percent,
        panic: fc.constantFrom('spread' as const, 'fail' as const),
      },
      { maxEjectionPercent: percent },
    ),
  },
);
const rateLimits: fc.Arbitrary<RateLimitPolicy> = record(
  {
    key: text,
    limits: fc.array(
      fc.record(
        {
          name: text,
          scope: fc.constantFrom('local' as const, 'global' as const),
          matches,
          key: fc.array(
            fc.oneof(
              fc.record({ kind: fc.constantFrom('identity' as const, 'path' as const) }, plain),
              fc.record({ kind: fc.constant('header' as const), name: text }, plain),
            ),
            { maxLength: 2 },
          ),
          requests: amount,
          windowMs: positive,
          burst: amount,
          shadow: fc.boolean(),
        },
        plain,
      ),
      { maxLength: 2 },
    ),
    onStoreFailure: fc.constantFrom('allow' as const, 'deny' as const, 'local' as const),
  },
  { store: redis },
);
const fault: fc.Arbitrary<FaultExperiment> = record(
  {
    key: text,
    startsAtMs: amount,
    endsAtMs: amount,
    owner: text,
    approver: text,
    matches,
    callers: texts,
    percent,
    maxActive: amount,
    reset: fc.boolean(),
  },
  {
    delayMs: amount,
    abort: record({ status }, { grpcStatus: fc.nat(16) }),
    throttleKibPerSecond: positive,
  },
);

const byKey = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<Record<string, T>> =>
  fc.dictionary(text, value, { maxKeys: 2, ...plain });
const policies: fc.Arbitrary<L7Policies> = fc.record(
  {
    authorization: byKey(authorization),
    jwt: byKey(jwt),
    opa: byKey(opa),
    resilience: byKey(resilience),
    rateLimits: byKey(rateLimits),
    faults: byKey(fault),
  },
  plain,
);

/** Services name policies that are there, in any number and order. */
function boundService(given: L7Policies): fc.Arbitrary<BoundService> {
  const some = (list: keyof L7Policies): fc.Arbitrary<string[]> => fc.subarray(Object.keys(given[list]));
  const first = Object.keys(given.resilience)[0];
  return record(
    {
      key,
      ports: fc.array(
        fc.record({ port, protocol: fc.constantFrom('UNKNOWN' as const, 'HTTP11' as const, 'GRPC' as const) }, plain),
        { maxLength: 2 },
      ),
      routes: fc.array(route, { maxLength: 2 }),
      authorization: some('authorization'),
      jwt: some('jwt'),
      opa: some('opa'),
      rateLimits: some('rateLimits'),
      faults: some('faults'),
    },
    (first === undefined ? {} : { resilience: fc.constant(first) }) as { resilience: fc.Arbitrary<string> },
  );
}

export const waypointConfiguration: fc.Arbitrary<WaypointConfiguration> = policies.chain((given) =>
  fc.record(
    {
      namespace: label,
      name: label,
      environment: fc.constantFrom('production' as const, 'test' as const),
      services: fc.array(boundService(given), { maxLength: 2 }),
      workloads: texts,
      policies: fc.constant(given),
    },
    plain,
  ),
);
