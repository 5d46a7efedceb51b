/** Configurations of a ledger for tests: say which policies there are, and they are bound to it. */
import type { WaypointConfiguration } from '@clearmesh/shared/model/l7/configuration';
import type { L7AuthorizationPolicy } from '@clearmesh/shared/model/l7/authorization';
import type { FaultExperiment } from '@clearmesh/shared/model/l7/fault';
import type { RequestAuthentication } from '@clearmesh/shared/model/l7/jwt';
import type { OpaPolicy } from '@clearmesh/shared/model/l7/opa';
import type { RateLimitPolicy } from '@clearmesh/shared/model/l7/rate-limit';
import type { IdempotencyPolicy, ResiliencePolicy } from '@clearmesh/shared/model/l7/resilience';
import type { HttpRoute, RouteRule } from '@clearmesh/shared/model/l7/route';
import type { AppProtocol, Service } from '@clearmesh/shared/model/service';
import { defaultResilience } from '@clearmesh/shared/model/l7/resilience';
import { boundService } from './bound-service.ts';
import { ledger } from './waypoint-bed.ts';

type Partially<T> = { readonly [field in keyof T]?: Partial<T[field]> };
export type ResilienceChanges = Partially<
  Omit<ResiliencePolicy, 'class' | 'idempotency' | 'circuitBreaker' | 'outlierDetection'>
> &
  Partial<Pick<ResiliencePolicy, 'class' | 'idempotency' | 'circuitBreaker' | 'outlierDetection'>>;

export type LedgerSpec = {
  /** @default HTTP11 */
  readonly protocol?: AppProtocol;
  /** @default test */
  readonly environment?: WaypointConfiguration['environment'];
  readonly routes?: readonly HttpRoute[];
  readonly authorization?: readonly L7AuthorizationPolicy[];
  readonly jwt?: readonly RequestAuthentication[];
  readonly opa?: readonly OpaPolicy[];
  readonly rateLimits?: readonly RateLimitPolicy[];
  readonly faults?: readonly FaultExperiment[];
  readonly resilience?: ResilienceChanges;
};

/** Arguments of `WaypointBed.push`. */
export function ledgerConfiguration(spec: LedgerSpec = {}): [Partial<WaypointConfiguration>, readonly Service[]] {
  const {
    protocol = 'HTTP11',
    environment = 'test',
    authorization = [],
    jwt = [],
    opa = [],
    rateLimits = [],
    faults = [],
  } = spec;
  const key = 'ResiliencePolicy ledger/all';
  const bound = boundService({
    key: ledger.key,
    ports: [{ port: 8080, protocol }],
    routes: spec.routes ?? [],
    authorization: keysOf(authorization),
    jwt: keysOf(jwt),
    opa: keysOf(opa),
    rateLimits: keysOf(rateLimits),
    faults: keysOf(faults),
    ...(spec.resilience === undefined ? {} : { resilience: key }),
  });
  const policies = {
    authorization: byKey(authorization),
    jwt: byKey(jwt),
    opa: byKey(opa),
    rateLimits: byKey(rateLimits),
    faults: byKey(faults),
    resilience: spec.resilience === undefined ? {} : { [key]: resiliencePolicy(spec.resilience) },
  };
  return [{ environment, services: [bound], policies }, [ledgerSpeaking(protocol)]];
}

/** The default policy with changes, field by field. */
function resiliencePolicy(changes: ResilienceChanges): ResiliencePolicy {
  const { timeouts, retry, limits, loadBalancing, ...rest } = changes;
  const { backoff, budget, ...retries } = retry ?? {};
  const base = defaultResilience;
  return {
    ...base,
    ...rest,
    timeouts: { ...base.timeouts, ...timeouts },
    retry: {
      ...base.retry,
      ...retries,
      backoff: { ...base.retry.backoff, ...backoff },
      budget: { ...base.retry.budget, ...budget },
    },
    limits: { ...base.limits, ...limits },
    loadBalancing: { ...base.loadBalancing, ...loadBalancing },
  };
}

export function idempotencyPolicy(changes: Partial<IdempotencyPolicy> = {}): IdempotencyPolicy {
  return {
    mode: 'key',
    header: 'idempotency-key',
    required: false,
    ttlMs: 86_400_000,
    leaseMs: 60_000,
    store: { kind: 'memory' },
    methods: ['POST', 'PATCH'],
    maxBodyBytes: 262_144,
    waitReplicas: 0,
    ...changes,
  };
}

/** One rule for everything, to the ledger itself, unless told otherwise. */
export function route(rule: Partial<RouteRule> = {}, name = 'ledger'): HttpRoute {
  const backends = [{ kind: 'service', service: ledger.key, port: 8080, weight: 1, filters: [] }] as const;
  const rules = [{ matches: [], filters: [], backends, timeouts: {}, ...rule }];
  return { key: `HTTPRoute ledger/${name}`, ports: [], hostnames: [], rules };
}

/** The ledger, its port declared to speak `protocol`. */
function ledgerSpeaking(protocol: AppProtocol): Service {
  return { ...ledger, ports: [{ servicePort: 8080, targetPort: 8080, appProtocol: protocol }] };
}

function byKey<T extends { readonly key: string }>(policies: readonly T[]): Readonly<Record<string, T>> {
  return Object.fromEntries(policies.map((policy) => [policy.key, policy]));
}

function keysOf(policies: readonly { readonly key: string }[]): readonly string[] {
  return policies.map(({ key }) => key);
}
