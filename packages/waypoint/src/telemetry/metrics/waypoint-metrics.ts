/**
 * All metrics of a waypoint. Istio's request metrics stand in request-metrics.ts; ours:
 *
 *   clearmesh_denials_total{reason, policy, response_flags}
 *     Requests refused by a decision. `reason` is a kind of the failure table, `policy` the object that decided, else "".
 *   clearmesh_waypoint_attempts_total{outcome}            attempts that ended: `answer`, or a kind of the failure table
 *   clearmesh_waypoint_retries_total{reason}              further attempts, by the retry condition met
 *   clearmesh_waypoint_retries_refused_total{reason}      retries not made: `budget`, `limit`, `unsafe`, `body`, …
 *   clearmesh_waypoint_ejections_total{cause}             endpoints ejected by outlier detection
 *   clearmesh_waypoint_idempotency_total{state}           requests with a key: `new`, `replayed`, `in-flight`, `unknown`, …
 *   clearmesh_waypoint_rate_limit_decisions_total{policy, limit, decision}
 *   clearmesh_waypoint_faults_total{experiment, kind}     injected faults: `delay`, `abort`, `throttle`, `reset`
 *   clearmesh_waypoint_opa_decisions_total{policy, decision, cached}
 *   clearmesh_waypoint_opa_decision_duration_seconds{policy}
 *   clearmesh_waypoint_configurations_total{result}       `accepted` or `rejected`
 *   clearmesh_waypoint_configuration_accepted_timestamp_seconds
 *   What is read at a scrape stands in waypoint-gauges.ts.
 */
import { Gauge, Histogram, Registry } from 'prom-client';
import { registerProcessMetrics } from '@clearmesh/shared/admin/process-metrics';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { FailureKind, ResponseFlag } from '../../exchange/failure.ts';
import { CounterFamily } from './counter-family.ts';
import { RequestMetrics } from './request-metrics.ts';
import type { RequestSeriesOptions } from './request-series.ts';

export type WaypointMetricsOptions = {
  /** Version shown by `istio_build`. */
  readonly version: string;
  readonly requests?: RequestSeriesOptions;
};

export type DenialReport = {
  readonly reason: FailureKind;
  /** Such as `OpaPolicy ledger/four-eyes`. */
  readonly policy?: string | undefined;
  readonly flag: ResponseFlag;
};

export type OpaReport = {
  readonly policy: string;
  readonly decision: 'allow' | 'deny' | 'error';
  readonly cached: boolean;
  readonly durationMs: number;
};

/** Seconds: WASM answers in fractions of a millisecond, a server within its 200 ms. */
const opaBuckets = [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1];

export class WaypointMetrics {
  readonly registry: Registry = new Registry();
  readonly requests: RequestMetrics;
  readonly #clock: Clock;
  readonly #denials: CounterFamily;
  readonly #attempts: CounterFamily;
  readonly #retries: CounterFamily;
  readonly #retriesRefused: CounterFamily;
  readonly #ejections: CounterFamily;
  readonly #idempotency: CounterFamily;
  readonly #rateLimits: CounterFamily;
  readonly #faults: CounterFamily;
  readonly #opaDecisions: CounterFamily;
  readonly #opaDuration: Histogram;
  readonly #configurations: CounterFamily;
  readonly #configurationTime: Gauge;

  constructor(options: WaypointMetricsOptions, deps: { readonly clock: Clock }) {
    const { registry } = this;
    this.#clock = deps.clock;
    registerProcessMetrics(registry);
    this.#gauge('istio_build', 'Version of the proxy', ['component', 'tag']).set(
      { component: 'waypoint', tag: options.version },
      1,
    );
    this.requests = new RequestMetrics(options.requests ?? {}, { registry, clock: deps.clock });
    this.#denials = this.#counter('clearmesh_denials_total', 'Requests refused by a decision', [
      'reason',
      'policy',
      'response_flags',
    ]);
    this.#attempts = this.#own('attempts', 'Attempts that ended', ['outcome']);
    this.#retries = this.#own('retries', 'Attempts after the first', ['reason']);
    this.#retriesRefused = this.#own('retries_refused', 'Retries that were not made', ['reason']);
    this.#ejections = this.#own('ejections', 'Endpoints ejected by outlier detection', ['cause']);
    this.#idempotency = this.#own('idempotency', 'Requests with an idempotency key', ['state']);
    this.#rateLimits = this.#own('rate_limit_decisions', 'Decisions of rate limits', ['policy', 'limit', 'decision']);
    this.#faults = this.#own('faults', 'Faults injected by experiments', ['experiment', 'kind']);
    this.#opaDecisions = this.#own('opa_decisions', 'Decisions of OPA policies', ['policy', 'decision', 'cached']);
    this.#opaDuration = new Histogram({
      name: 'clearmesh_waypoint_opa_decision_duration_seconds',
      help: 'Time OPA took for a decision that was not cached, in seconds',
      labelNames: ['policy'],
      buckets: opaBuckets,
      registers: [registry],
    });
    this.#configurations = this.#own('configurations', 'Configurations received', ['result']);
    this.#configurationTime = this.#gauge(
      'clearmesh_waypoint_configuration_accepted_timestamp_seconds',
      'When the configuration in force was accepted, seconds since 1970',
      [],
    );
  }

  denied({ reason, policy, flag }: DenialReport): void {
    this.#denials.inc(reason, policy ?? '', flag);
  }

  attemptEnded(outcome: 'answer' | FailureKind): void {
    this.#attempts.inc(outcome);
  }

  /** @param reason the condition met, such as `connect-failure`; few values */
  retried(reason: string): void {
    this.#retries.inc(reason);
  }

  /** @param reason few values, such as `budget` or `unsafe` */
  retryRefused(reason: string): void {
    this.#retriesRefused.inc(reason);
  }

  /** @param cause few values, such as `consecutive-5xx` */
  ejected(cause: string): void {
    this.#ejections.inc(cause);
  }

  /** @param state few values, such as `replayed` */
  idempotencyDecided(state: string): void {
    this.#idempotency.inc(state);
  }

  rateLimitDecided(policy: string, limit: string, decision: 'allow' | 'refuse' | 'shadow-refuse' | 'store-failure'): void {
    this.#rateLimits.inc(policy, limit, decision);
  }

  faultInjected(experiment: string, kind: 'delay' | 'abort' | 'throttle' | 'reset'): void {
    this.#faults.inc(experiment, kind);
  }

  opaDecided({ policy, decision, cached, durationMs }: OpaReport): void {
    this.#opaDecisions.inc(policy, decision, String(cached));
    if (!cached) this.#opaDuration.observe({ policy }, durationMs / 1_000);
  }

  configurationAccepted(): void {
    this.#configurations.inc('accepted');
    this.#configurationTime.set(this.#clock.now() / 1_000);
  }

  configurationRejected(): void {
    this.#configurations.inc('rejected');
  }

  #own(name: string, help: string, labelNames: readonly string[]): CounterFamily {
    return this.#counter(`clearmesh_waypoint_${name}_total`, help, labelNames);
  }

  #counter(name: string, help: string, labelNames: readonly string[]): CounterFamily {
    return new CounterFamily({ name, help, labelNames }, { registry: this.registry });
  }

  #gauge(name: string, help: string, labelNames: string[]): Gauge {
    return new Gauge({ name, help, labelNames, registers: [this.registry] });
  }
}
