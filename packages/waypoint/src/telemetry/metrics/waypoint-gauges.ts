/**
 * What a scrape reads from its owners, so that requests need not report it:
 *
 *   clearmesh_waypoint_breaker_state{backend}              0 closed, 1 half-open, 2 open
 *   clearmesh_waypoint_endpoints_ejected{service}          endpoints out of rotation now
 *   clearmesh_waypoint_requests_active{backend}            requests under way
 *   clearmesh_waypoint_spans_total{result}                 `exported` or `dropped`
 *   clearmesh_waypoint_access_log_lines_total{result}      `written`, `sampled-out` or `lost`
 */
import { Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import { computedCounter } from './computed-family.ts';

export type BreakerState = 'closed' | 'half-open' | 'open';

/** Each is called once a scrape. */
export type GaugeSources = {
  readonly breakers: () => Iterable<{ readonly backend: string; readonly state: BreakerState }>;
  readonly ejected: () => Iterable<{ readonly service: string; readonly endpoints: number }>;
  readonly active: () => Iterable<{ readonly backend: string; readonly requests: number }>;
  readonly spans: () => { readonly exported: number; readonly dropped: number };
  readonly accessLines: () => { readonly written: number; readonly sampledOut: number; readonly lost: number };
};

const states: Readonly<Record<BreakerState, number>> = { closed: 0, 'half-open': 1, open: 2 };

export function registerWaypointGauges(sources: GaugeSources, deps: { readonly registry: Registry }): void {
  const { registry } = deps;
  gauge(registry, 'breaker_state', 'Circuit breakers: 0 closed, 1 half-open, 2 open', 'backend', () =>
    Array.from(sources.breakers(), ({ backend, state }) => [backend, states[state]]),
  );
  gauge(registry, 'endpoints_ejected', 'Endpoints ejected now', 'service', () =>
    Array.from(sources.ejected(), ({ service, endpoints }) => [service, endpoints]),
  );
  gauge(registry, 'requests_active', 'Requests under way', 'backend', () =>
    Array.from(sources.active(), ({ backend, requests }) => [backend, requests]),
  );
  counter(registry, 'spans', 'Spans by what became of them', () => Object.entries(sources.spans()));
  counter(registry, 'access_log_lines', 'Lines of the access log by what became of them', () => {
    const { written, sampledOut, lost } = sources.accessLines();
    return Object.entries({ written, 'sampled-out': sampledOut, lost });
  });
}

/** Set anew at each scrape: what its owner no longer knows vanishes. */
function gauge(
  registry: Registry,
  name: string,
  help: string,
  label: string,
  read: () => readonly [value: string, number: number][],
): void {
  const metric: Gauge = new Gauge({
    name: `clearmesh_waypoint_${name}`,
    help,
    labelNames: [label],
    registers: [registry],
    collect: () => {
      metric.reset();
      for (const [value, number] of read()) metric.set({ [label]: value }, number);
    },
  });
}

function counter(registry: Registry, name: string, help: string, read: () => [result: string, count: number][]): void {
  computedCounter({ name: `clearmesh_waypoint_${name}_total`, help, labelNames: ['result'] }, registry, () =>
    read().map(([result, value]) => ({ labels: { result }, value })),
  );
}
