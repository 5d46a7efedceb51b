/**
 * Sends requests to one backend as often and to whom its policy says.
 *
 *   route ─▶ DispatchRequest ─▶ limits ─▶ breaker ─▶ balance ─▶ Upstream.send ─▶ retry … ─▶ DispatchResult
 *
 * P1  What was learned belongs to the backend, not to a configuration: each request brings its policy and its endpoints.
 * P2  `dispatch` never rejects, and what it holds for a request is given back when the answer's body has ended.
 * P3  Being full, or having an open breaker, is decided here and is nobody's failure.
 */
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { LoadBalancingPolicy } from '@clearmesh/shared/model/l7/resilience';
import type { LightSignal } from '../exchange/light-signal.ts';
import { RetryBudget } from './budget.ts';
import type { BreakerFactory, BreakerStatus } from './breaker.ts';
import type { DispatchFailure, DispatchRequest, DispatchResult, ForwardMetrics } from './dispatch-request.ts';
import { EndpointSet } from './endpoint-set.ts';
import type { HostStatus } from './endpoint-set.ts';
import { Exchange } from './exchange.ts';
import type { BackendParts } from './exchange.ts';
import { defaultResilience } from '@clearmesh/shared/model/l7/resilience';
import type { IdleWatch } from './idle-watch.ts';
import { BackendLimits, overflow } from './limits.ts';
import { RouteBreakers } from './route-breakers.ts';
import { leaseUpgrade } from './upgrade-lease.ts';
import type { UpgradeLease, UpgradeRequest } from './upgrade-lease.ts';
import type { Upstream } from './upstream.ts';

export type DispatcherOptions = { readonly backend: string };

export type DispatcherDeps = {
  readonly upstream: Upstream;
  readonly createBreaker: BreakerFactory;
  readonly idle: IdleWatch;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: ForwardMetrics;
};

/** For the admin server and the gauges. */
export type BackendStatus = {
  readonly backend: string;
  readonly active: number;
  readonly retries: number;
  readonly connections: number;
  readonly pending: number;
  readonly upgraded: number;
  readonly ejected: number;
  readonly endpoints: readonly HostStatus[];
  readonly breakers: readonly (BreakerStatus & { readonly route: string })[];
};

export class Dispatcher implements Disposable {
  readonly #parts: BackendParts;
  #loadBalancing: LoadBalancingPolicy = defaultResilience.loadBalancing;

  constructor({ backend }: DispatcherOptions, deps: DispatcherDeps) {
    const { upstream, idle, clock, random, metrics } = deps;
    this.#parts = {
      name: backend,
      upstream,
      idle,
      clock,
      random,
      metrics,
      endpoints: new EndpointSet({ clock, random, onEjected: (_endpoint, cause) => metrics.ejected(cause) }),
      limits: new BackendLimits(),
      budget: new RetryBudget(),
      breakers: new RouteBreakers({ backend }, deps),
    };
  }

  /** Requests whose answer has not ended, upgraded streams included. */
  get active(): number {
    return this.#parts.limits.requests.taken + this.#parts.limits.upgraded.taken;
  }

  get status(): BackendStatus {
    const { name, limits, endpoints, breakers } = this.#parts;
    return {
      backend: name,
      active: limits.requests.taken,
      retries: limits.retries.taken,
      connections: limits.connections.taken,
      pending: limits.connections.waiting,
      upgraded: limits.upgraded.taken,
      ejected: endpoints.ejected,
      endpoints: endpoints.status(this.#loadBalancing),
      breakers: [...breakers.status()],
    };
  }

  /** Never rejects. @param signal the caller is gone */
  dispatch(request: DispatchRequest, signal: LightSignal): Promise<DispatchResult> {
    const { limits, name, clock, endpoints } = this.#parts;
    const { loadBalancing, limits: bounds } = request.policy;
    if (!limits.requests.take(bounds.maxRequests)) {
      const failure = overflow('maxRequests', bounds.maxRequests, name);
      return Promise.resolve({ kind: 'failed', failure, outcome: 'not-dispatched', flag: 'UO', attempts: 0 });
    }
    this.#loadBalancing = loadBalancing;
    const list = endpoints.of(request.endpoints, loadBalancing);
    const nowMs = clock.monotonicMs();
    return new Exchange(request, list, signal, nowMs, this.#parts).run(nowMs);
  }

  /** Chooses an endpoint for a stream that is opened apart from `Upstream.send`, and counts it by its own limit. */
  lease(request: UpgradeRequest): UpgradeLease | DispatchFailure {
    return leaseUpgrade(request, this.#parts);
  }

  /** Ends the breakers of routes that no longer lead here. */
  retainRoutes(isUsed: (route: string) => boolean): void {
    this.#parts.breakers.retain(isUsed);
  }

  /** Requests under way go on. */
  [Symbol.dispose](): void {
    this.#parts.breakers[Symbol.dispose]();
  }
}
