/** The policies in a waypoint's configuration; the compiler checks that what passes is of the model's type. */
import { Type } from 'typebox';
import { retryConditions } from '../model/l7/resilience.ts';
import type { Static } from 'typebox';
import type { L7AuthorizationPolicy } from '../model/l7/authorization.ts';
import type { RequestAuthentication } from '../model/l7/jwt.ts';
import type { OpaPolicy } from '../model/l7/opa.ts';
import type { ResiliencePolicy } from '../model/l7/resilience.ts';
import type { RateLimitPolicy } from '../model/l7/rate-limit.ts';
import type { FaultExperiment } from '../model/l7/fault.ts';
import { amount, httpMatch, name, names, percent, positive, status } from './waypoint-schema-parts.ts';

const optionalTexts = Type.Optional(Type.Array(Type.String()));

const authorizationRule = Type.Object({
  from: Type.Optional(
    Type.Array(
      Type.Object({
        principals: optionalTexts,
        notPrincipals: optionalTexts,
        requestPrincipals: optionalTexts,
        notRequestPrincipals: optionalTexts,
        namespaces: optionalTexts,
        notNamespaces: optionalTexts,
        serviceAccounts: optionalTexts,
        notServiceAccounts: optionalTexts,
        trustDomains: optionalTexts,
        notTrustDomains: optionalTexts,
        ipBlocks: optionalTexts,
        notIpBlocks: optionalTexts,
        remoteIpBlocks: optionalTexts,
        notRemoteIpBlocks: optionalTexts,
      }),
    ),
  ),
  to: Type.Optional(
    Type.Array(
      Type.Object({
        hosts: optionalTexts,
        notHosts: optionalTexts,
        ports: optionalTexts,
        notPorts: optionalTexts,
        methods: optionalTexts,
        notMethods: optionalTexts,
        paths: optionalTexts,
        notPaths: optionalTexts,
      }),
    ),
  ),
  when: Type.Optional(Type.Array(Type.Object({ key: Type.String(), values: optionalTexts, notValues: optionalTexts }))),
});

const authorization = Type.Object({
  key: name,
  namespace: name,
  action: Type.Enum(['ALLOW', 'DENY']),
  dryRun: Type.Boolean(),
  rules: Type.Array(authorizationRule),
});

const tokenPlaces = { fromHeaders: Type.Array(Type.Object({ name, prefix: Type.String() })), fromParams: names };

const jwt = Type.Union([
  Type.Object({
    key: name,
    rules: Type.Array(
      Type.Object({
        issuer: name,
        audiences: names,
        jwks: Type.Optional(Type.String()),
        jwksUri: Type.Optional(Type.String()),
        ...tokenPlaces,
        forwardOriginalToken: Type.Boolean(),
        outputPayloadToHeader: Type.Optional(name),
        outputClaimToHeaders: Type.Array(Type.Object({ header: name, claim: name })),
      }),
    ),
  }),
  Type.Object({
    key: name,
    unread: Type.Union([Type.Literal('all'), Type.Array(Type.Object({ ...tokenPlaces, outputs: names }))]),
  }),
]);

const opa = Type.Object({
  key: name,
  engine: Type.Union([
    Type.Object({ kind: Type.Literal('wasm'), bundle: name, watchdogMs: positive }),
    Type.Object({ kind: Type.Literal('server'), url: name }),
    Type.Object({ kind: Type.Literal('none'), reason: name }),
  ]),
  path: name,
  timeoutMs: positive,
  body: Type.Optional(Type.Object({ maxBytes: amount, allowPartial: Type.Boolean() })),
  cache: Type.Optional(Type.Object({ ttlMs: amount, inputs: names })),
  contextExtensions: Type.Record(Type.String(), Type.String()),
});

const redis = Type.Object({
  kind: Type.Literal('redis'),
  url: name,
  passwordFile: Type.Optional(name),
  timeoutMs: positive,
});
const store = Type.Union([Type.Object({ kind: Type.Literal('memory') }), redis]);

const resilience = Type.Object({
  class: Type.Enum(['standard', 'money-movement']),
  timeouts: Type.Object({
    requestMs: Type.Optional(amount),
    backendRequestMs: Type.Optional(amount),
    idleMs: amount,
    connectMs: amount,
    minServiceMs: amount,
  }),
  retry: Type.Object({
    attempts: amount,
    on: Type.Array(Type.Enum([...retryConditions])),
    statusCodes: Type.Array(status),
    backoff: Type.Object({ baseMs: amount, maxMs: amount }),
    budget: Type.Object({ percent, intervalMs: positive, minPerSecond: amount }),
    maxReplayBytes: amount,
    grpcIdempotent: names,
  }),
  idempotency: Type.Optional(
    Type.Object({
      mode: Type.Enum(['key', 'native']),
      header: name,
      required: Type.Boolean(),
      ttlMs: positive,
      leaseMs: positive,
      store,
      methods: names,
      maxBodyBytes: amount,
      waitReplicas: amount,
    }),
  ),
  circuitBreaker: Type.Optional(
    Type.Object({
      errorThresholdPercent: percent,
      volumeThreshold: amount,
      windowMs: positive,
      openMs: positive,
      maxOpenMs: positive,
    }),
  ),
  outlierDetection: Type.Optional(
    Type.Object({
      consecutive5xx: amount,
      consecutiveLocal: amount,
      intervalMs: positive,
      baseEjectionMs: positive,
      maxEjectionMs: positive,
      maxEjectionPercent: Type.Optional(percent),
      panicPercent: percent,
      panic: Type.Enum(['spread', 'fail']),
    }),
  ),
  limits: Type.Object({
    maxConnections: amount,
    maxPending: amount,
    maxRequests: amount,
    maxRetries: amount,
    maxUpgraded: amount,
    maxRequestBytes: Type.Optional(amount),
  }),
  loadBalancing: Type.Object({ initialRttMs: positive, decayMs: positive }),
});

const rateLimits = Type.Object({
  key: name,
  limits: Type.Array(
    Type.Object({
      name,
      scope: Type.Enum(['local', 'global']),
      matches: Type.Array(httpMatch),
      key: Type.Array(
        Type.Union([
          Type.Object({ kind: Type.Enum(['identity', 'namespace', 'path', 'method']) }),
          Type.Object({ kind: Type.Literal('header'), name }),
        ]),
      ),
      requests: amount,
      windowMs: positive,
      burst: amount,
      shadow: Type.Boolean(),
    }),
  ),
  store: Type.Optional(redis),
  onStoreFailure: Type.Enum(['allow', 'deny', 'local']),
});

const fault = Type.Object({
  key: name,
  startsAtMs: amount,
  endsAtMs: amount,
  owner: name,
  approver: name,
  matches: Type.Array(httpMatch),
  callers: names,
  percent,
  maxActive: amount,
  delayMs: Type.Optional(amount),
  abort: Type.Optional(Type.Object({ status, grpcStatus: Type.Optional(Type.Integer({ minimum: 0, maximum: 16 })) })),
  throttleKibPerSecond: Type.Optional(positive),
  reset: Type.Boolean(),
});

export const authorizationSchema: Type.TUnsafe<L7AuthorizationPolicy> = Type.Unsafe<Static<typeof authorization>>(authorization);
export const jwtSchema: Type.TUnsafe<RequestAuthentication> = Type.Unsafe<Static<typeof jwt>>(jwt);
export const opaSchema: Type.TUnsafe<OpaPolicy> = Type.Unsafe<Static<typeof opa>>(opa);
export const resilienceSchema: Type.TUnsafe<ResiliencePolicy> = Type.Unsafe<Static<typeof resilience>>(resilience);
export const rateLimitsSchema: Type.TUnsafe<RateLimitPolicy> = Type.Unsafe<Static<typeof rateLimits>>(rateLimits);
export const faultSchema: Type.TUnsafe<FaultExperiment> = Type.Unsafe<Static<typeof fault>>(fault);
