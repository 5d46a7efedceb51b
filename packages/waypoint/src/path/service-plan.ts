/**
 * A configuration made ready: everything that can be prepared once, for each service. What cannot be carried out is
 * found here, so that the whole configuration is refused and the last good one keeps serving.
 */
import type { BoundService, Environment, WaypointConfiguration } from '@clearmesh/shared/model/l7/configuration';
import type { IdempotencyPolicy, ResiliencePolicy } from '@clearmesh/shared/model/l7/resilience';
import type { HttpMatch } from '@clearmesh/shared/model/l7/route';
import type { ServiceKey } from '@clearmesh/shared/model/names';
import type { Bindings } from '../accept/connect-target.ts';
import type { RequestFacts } from '../exchange/request-facts.ts';
import { defaultResilience } from '@clearmesh/shared/model/l7/resilience';
import { forwardPolicy } from '../forward/forward-policy.ts';
import type { ForwardPolicy } from '../forward/forward-policy.ts';
import { compileMatches, matchesAny } from '../route/match.ts';
import type { ForwardDecision } from '../route/route-decision.ts';
import { compileRoutes } from '../route/route-table.ts';
import type { RouteTable } from '../route/route-table.ts';
import { compileFaults } from '../shape/fault-rules.ts';
import type { CompiledFaults } from '../shape/fault-rules.ts';
import { compileRateLimits } from '../shape/rate-limit-rules.ts';
import type { CompiledRateLimits } from '../shape/rate-limit-rules.ts';
import type { Compilation, Compiled } from '../snapshot/waypoint-store.ts';

export type ServicePlan = {
  readonly bound: BoundService;
  readonly routes: RouteTable;
  readonly resilience: ResiliencePolicy;
  readonly idempotency: IdempotencyPolicy | undefined;
  readonly rateLimits: CompiledRateLimits;
  readonly faults: CompiledFaults;
  /** The policy of forwarding for what is no HTTP. */
  readonly opaquePolicy: ForwardPolicy;
  /** The policy of forwarding for one rule of the routes. */
  forwardPolicy(decision: ForwardDecision): ForwardPolicy;
};

export interface WaypointPlan extends Compiled, Bindings {
  readonly revision: string;
  /** Whether a route of a service still leads to a backend; for what was learned of backends. */
  leadsTo(backend: string, route?: string): boolean;
  readonly environment: Environment;
  plan(service: ServiceKey): ServicePlan | undefined;
  /** What of it has no effect here, and why; for the log. */
  readonly warnings: readonly string[];
}

/** Serves nothing: before the first configuration, and without one. */
export function emptyPlan(gateway: { readonly namespace: string; readonly name: string }): WaypointPlan {
  const policies = { authorization: {}, jwt: {}, opa: {}, resilience: {}, rateLimits: {}, faults: {} };
  return planOf({ ...gateway, environment: 'production', services: [], workloads: [], policies }, '', new Map(), []);
}

export function compilePlan(configuration: WaypointConfiguration, revision: string): Compilation<WaypointPlan> {
  const problems: string[] = [];
  const plans = new Map<ServiceKey, ServicePlan>();
  for (const bound of configuration.services) {
    const plan = compileService(bound, configuration, problems);
    if (plan !== undefined) plans.set(bound.key, plan);
  }
  if (problems.length > 0) return { kind: 'rejected', reason: problems.slice(0, 10).join('; ') };
  const warnings = [...plans.values()].flatMap(({ faults, bound, resilience }) => [
    ...faults.refused,
    ...leaseWarnings(bound, resilience),
  ]);
  return { kind: 'compiled', compiled: planOf(configuration, revision, plans, warnings) };
}

function planOf(
  configuration: WaypointConfiguration,
  revision: string,
  plans: ReadonlyMap<string, ServicePlan>,
  warnings: readonly string[],
): WaypointPlan {
  const workloads = new Set(configuration.workloads);
  const backends = backendsOf(configuration);
  return {
    configuration,
    revision,
    environment: configuration.environment,
    warnings,
    plan: (service) => plans.get(service),
    service: (key) => plans.get(key)?.bound,
    isBoundWorkload: (uid) => workloads.has(uid),
    leadsTo: (backend, route) => {
      const routes = backends.get(backend);
      return routes !== undefined && (route === undefined || routes.has(route.slice(0, Math.max(0, route.lastIndexOf(' ')))));
    },
  };
}

/** Keys of routes by backend; "" where a service is called without one. */
function backendsOf({ services }: WaypointConfiguration): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  const add = (backend: string, route: string): void => {
    const routes = found.get(backend) ?? new Set();
    found.set(backend, routes.add(route));
  };
  for (const { key, ports, routes } of services) {
    for (const { port } of ports) add(`${key}:${port}`, '');
    for (const { key: route, rules } of routes)
      for (const { backends } of rules)
        for (const backend of backends) if (backend.kind === 'service') add(`${backend.service}:${backend.port}`, route);
  }
  return found;
}

function compileService(bound: BoundService, { policies }: WaypointConfiguration, problems: string[]): ServicePlan | undefined {
  const compilation = compileRoutes(bound);
  if (compilation.kind === 'rejected') problems.push(compilation.reason);
  const predicateOf = (matches: readonly HttpMatch[]): ((request: RequestFacts) => boolean) => {
    const compiled = compileMatches(matches, (problem) => problems.push(`service ${bound.key}: ${problem}`));
    return (request) => matchesAny(compiled, request);
  };
  // L1 of the model: a key that is named is present.
  const named = <T>(keys: readonly string[], table: Readonly<Record<string, T>>): readonly T[] =>
    keys.flatMap((key) => table[key] ?? []);
  const rateLimits = compileRateLimits(named(bound.rateLimits, policies.rateLimits), { service: bound.key }, predicateOf);
  const faults = compileFaults(named(bound.faults, policies.faults), predicateOf);
  if (compilation.kind === 'rejected') return undefined;
  const resilience = (bound.resilience === undefined ? undefined : policies.resilience[bound.resilience]) ?? defaultResilience;
  return {
    bound,
    routes: compilation.table,
    resilience,
    idempotency: resilience.idempotency,
    rateLimits,
    faults,
    opaquePolicy: forwardPolicy(resilience),
    forwardPolicy: forwardPolicies(resilience),
  };
}

/** One for each rule; there are as many as rules. */
function forwardPolicies(resilience: ResiliencePolicy): ServicePlan['forwardPolicy'] {
  const known = new Map<string, ForwardPolicy>();
  return ({ route = '', rule = '', timeouts, retry }) => {
    const key = `${route} ${rule}`;
    let policy = known.get(key);
    if (policy === undefined) {
      policy = forwardPolicy(resilience, { timeouts, ...(retry === undefined ? {} : { retry }) });
      known.set(key, policy);
    }
    return policy;
  };
}

/** An answer that comes after the lease is nobody's: its key has turned unknown. */
function leaseWarnings({ resilience: key = '' }: BoundService, { idempotency, timeouts }: ResiliencePolicy): readonly string[] {
  if (idempotency?.mode !== 'key') return [];
  const { requestMs = Infinity } = timeouts;
  if (requestMs <= idempotency.leaseMs) return [];
  return [`${key}: answers may take longer than idempotency.lease (${idempotency.leaseMs} ms); set timeouts.request below it`];
}
