/** What a waypoint refuses, and how; one table with endpoint-failures.ts. */
import { answering, post, silent } from './endpoint-failures.ts';
import type { FailureRow } from './endpoint-failures.ts';
import { idempotencyPolicy, route } from './ledger-configuration.ts';

const ok = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

export const refusals: readonly FailureRow[] = [
  {
    what: 'no endpoint at all',
    server: silent,
    spec: {
      routes: [
        route({
          backends: [
            { kind: 'service', service: 'ledger/none.ledger.svc.cluster.local' as never, port: 80, weight: 1, filters: [] },
          ],
        }),
      ],
    },
    ends: '503 no-healthy-endpoint UH not-dispatched',
    dispatched: 0,
  },
  {
    what: 'a backend that is invalid',
    server: silent,
    spec: { routes: [route({ backends: [{ kind: 'invalid', weight: 1, reason: 'no such service' }] })] },
    ends: '500 invalid-backend NR not-dispatched',
    dispatched: 0,
  },
  {
    what: 'no route',
    server: silent,
    spec: { routes: [route({ matches: [{ path: { type: 'Exact', value: '/only' }, headers: [], query: [] }] })] },
    ends: '404 no-route NR not-dispatched',
    dispatched: 0,
  },
  {
    what: 'too little of the deadline left',
    server: silent,
    spec: { resilience: { timeouts: { minServiceMs: 50 } } },
    ask: { headers: { 'x-mesh-deadline-ms': 20 } },
    ends: '504 late LATE not-dispatched',
    dispatched: 0,
  },
  {
    what: 'a body that is too large',
    server: silent,
    spec: { resilience: { limits: { maxRequestBytes: 2 } } },
    ask: post,
    ends: '413 body-too-large DPE not-dispatched',
    dispatched: 0,
  },
  {
    what: 'a body that turns out too large',
    server: silent,
    spec: { resilience: { limits: { maxRequestBytes: 2 } } },
    ask: { method: 'POST', body: 'abc', headers: { 'transfer-encoding': 'chunked' } },
    ends: '413 body-too-large DPE unknown',
    dispatched: 0,
    attempts: 1,
  },
  {
    what: 'a limit of rate',
    server: () => answering(ok),
    spec: {
      rateLimits: [
        {
          key: 'RateLimitPolicy ledger/none',
          onStoreFailure: 'deny',
          limits: [{ name: 'all', scope: 'local', matches: [], key: [], requests: 0, windowMs: 1_000, burst: 0, shadow: false }],
        },
      ],
    },
    ends: '429 rate-limited RL not-dispatched',
    dispatched: 0,
  },
  {
    what: 'a global limit whose store is gone',
    server: () => answering(ok),
    spec: {
      rateLimits: [
        {
          key: 'RateLimitPolicy ledger/far',
          onStoreFailure: 'deny',
          store: { kind: 'redis', url: 'redis://127.0.0.1:1/0', timeoutMs: 100 },
          limits: [{ name: 'all', scope: 'global', matches: [], key: [], requests: 5, windowMs: 1_000, burst: 5, shadow: false }],
        },
      ],
    },
    ends: '503 rate-limit-unavailable RLSE not-dispatched',
    dispatched: 0,
  },
  {
    what: 'keys whose store is gone',
    server: () => answering(ok),
    spec: {
      resilience: { idempotency: idempotencyPolicy({ store: { kind: 'redis', url: 'redis://127.0.0.1:1/0', timeoutMs: 100 } }) },
    },
    ask: { ...post, headers: { 'idempotency-key': 'k' } },
    ends: '503 idempotency-unavailable IDK not-dispatched',
    dispatched: 0,
  },
  {
    what: 'a key that is missing',
    server: () => answering(ok),
    spec: { resilience: { idempotency: idempotencyPolicy({ required: true }) } },
    ask: post,
    ends: '400 idempotency-key-missing IDK not-dispatched',
    dispatched: 0,
  },
  {
    what: 'an OPA server that is gone',
    server: () => answering(ok),
    spec: {
      opa: [
        {
          key: 'OpaPolicy ledger/gone',
          engine: { kind: 'server', url: 'http://127.0.0.1:1' },
          path: 'envoy/authz/allow',
          timeoutMs: 200,
          contextExtensions: {},
        },
      ],
    },
    ends: '503 pdp-unavailable PDP not-dispatched',
    dispatched: 0,
  },
  {
    what: 'an OpaPolicy that cannot be read',
    server: () => answering(ok),
    spec: {
      opa: [
        {
          key: 'OpaPolicy ledger/odd',
          engine: { kind: 'none', reason: 'it cannot be read' },
          path: 'envoy/authz/allow',
          timeoutMs: 200,
          contextExtensions: {},
        },
      ],
    },
    ends: '503 pdp-unavailable PDP not-dispatched',
    dispatched: 0,
  },
  {
    what: 'a path that servers read differently',
    server: () => answering(ok),
    ask: { path: '/a/..%2fb' },
    ends: '400 bad-request DPE not-dispatched',
    dispatched: 0,
  },
];
