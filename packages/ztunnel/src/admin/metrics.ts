/**
 * All metrics of the node proxy beside those of TCP, DNS and look-ups. Istio's names where Istio has them (l4-contract section 11.1);
 * ours begin with `clearmesh_`:
 *
 *   clearmesh_denials_total{direction, reason, policy, response_flags}
 *     Connections refused or cut by a decision. `reason` is a refusal of resolution (self-call, no-healthy-upstream,
 *     waypoint-unavailable, network-gateway-unavailable, unknown-source), a reason of policy (explicit-deny,
 *     no-allow-matched, waypoint-bypass, unknown-policy, tracking-full) or the word of an early failure; `policy` is
 *     `namespace/name` of the DENY policy, else ""; `response_flags` is DENY, NWP or -.
 *   clearmesh_ignored_callers_total
 *     CONNECTs whose `x-clearmesh-caller` was ignored: the peer is no waypoint of the destination.
 *   clearmesh_dry_run_decisions_total{outcome, policy}
 *     What policies in dry run would have done: would-deny, would-allow, no-allow-would-match.
 *   clearmesh_accept_failures_total
 *     Looks at which there was no file descriptor for a connection to be accepted with.
 *   clearmesh_access_log_lines_total{result}
 *     Lines of the access log: written, filtered or sampled out.
 *   clearmesh_gateway_retries_total
 *     Connections tried at another workload of their waypoint, or at another gateway of a network, since one could not be
 *     reached.
 *   clearmesh_endpoint_retries_total
 *     Connections tried at another endpoint of a service that asks for that, since one could not be reached.
 *   clearmesh_misdirected_retries_total
 *     Connections answered with 421 that took the way the mesh named meanwhile.
 */
import { Counter, Gauge, Registry } from 'prom-client';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { PolicyKey } from '@clearmesh/shared/model/names';
import type { DryRunNote } from '@clearmesh/shared/policy/evaluate';
import type { Workload } from '@clearmesh/shared/model/workload';
import type { Direction } from '../path/access-log.ts';
import type { AccessFate } from '../path/access-selection.ts';
import type { ResponseFlag } from '../path/connection-cut.ts';
import type { XdsTermination } from '@clearmesh/shared/discovery/xds-client';
import { registerProcessMetrics } from '@clearmesh/shared/admin/process-metrics';
import { DnsQueryMetrics } from './dns-metrics.ts';
import { LookupMetrics } from './lookup-metrics.ts';
import { TcpMetrics } from './tcp-metrics.ts';

export type DenialFacts = {
  readonly direction: Direction;
  /** One of few fixed words: a refusal of resolution, a reason of policy, or the word of an early failure. */
  readonly reason: string;
  readonly policy?: PolicyKey | undefined;
  /** @default '-' */
  readonly flag?: ResponseFlag | undefined;
};

export type MetricsOptions = {
  /** Version shown by `istio_build`. */
  readonly version: string;
};

export class Metrics {
  readonly registry: Registry = new Registry();
  readonly tcp: TcpMetrics;
  readonly dns: DnsQueryMetrics;
  readonly lookups: LookupMetrics;
  readonly #denials: Counter;
  readonly #ignoredCallers: Counter;
  readonly #gatewayRetries: Counter;
  readonly #endpointRetries: Counter;
  readonly #misdirectedRetries: Counter;
  readonly #accessLines: Counter;
  readonly #acceptFailures: Counter;
  readonly #dryRuns: Counter;
  readonly #xdsTerminations: Counter;
  readonly #xdsMessages: Counter;
  readonly #xdsBytes: Counter;
  readonly #podsActive: Gauge;
  readonly #podsPending: Gauge;
  readonly #podsStarted: Counter;
  readonly #podsStopped: Counter;

  constructor(options: MetricsOptions, deps: { readonly clock: Clock }) {
    registerProcessMetrics(this.registry);
    this.#gauge('istio_build', 'Version of the proxy', ['component', 'tag']).set(
      { component: 'ztunnel', tag: options.version },
      1,
    );
    this.#xdsTerminations = this.#counter('istio_xds_connection_terminations_total', 'Ended streams to the control plane', [
      'reason',
    ]);
    this.#xdsMessages = this.#counter('istio_xds_message_total', 'Messages received from the control plane', ['url']);
    this.#xdsBytes = this.#counter('istio_xds_message_bytes_total', 'Bytes of resources received from the control plane', [
      'url',
    ]);
    this.#podsActive = this.#gauge('workload_manager_active_proxy_count', 'Pods served now', []);
    this.#podsPending = this.#gauge('workload_manager_pending_proxy_count', 'Pods whose listeners could not be started yet', []);
    this.#podsStarted = this.#counter('workload_manager_proxies_started_total', 'Pods whose listeners were started', []);
    this.#podsStopped = this.#counter('workload_manager_proxies_stopped_total', 'Pods whose listeners were stopped', []);
    this.#denials = this.#counter('clearmesh_denials_total', 'Connections refused or cut by a decision', [
      'direction',
      'reason',
      'policy',
      'response_flags',
    ]);
    this.#ignoredCallers = this.#counter(
      'clearmesh_ignored_callers_total',
      'Requests that spoke for another caller without being the waypoint of the destination',
      [],
    );
    this.#gatewayRetries = this.#counter(
      'clearmesh_gateway_retries_total',
      'Connections tried at another workload of their waypoint, or at another gateway of a network',
      [],
    );
    this.#endpointRetries = this.#counter(
      'clearmesh_endpoint_retries_total',
      'Connections tried at another endpoint of their service',
      [],
    );
    this.#misdirectedRetries = this.#counter(
      'clearmesh_misdirected_retries_total',
      'Connections answered with 421 that took the way the mesh named meanwhile',
      [],
    );
    this.#dryRuns = this.#counter('clearmesh_dry_run_decisions_total', 'Decisions that policies in dry run would have made', [
      'outcome',
      'policy',
    ]);
    this.#acceptFailures = this.#counter(
      'clearmesh_accept_failures_total',
      'Looks at which no connection could be accepted, for want of file descriptors',
      [],
    );
    this.#accessLines = this.#counter('clearmesh_access_log_lines_total', 'Lines of the access log by what became of them', [
      'result',
    ]);
    this.tcp = new TcpMetrics({}, { registry: this.registry, clock: deps.clock });
    this.dns = new DnsQueryMetrics({}, { registry: this.registry, clock: deps.clock });
    this.lookups = new LookupMetrics({}, { registry: this.registry });
  }

  denied({ direction, reason, policy, flag }: DenialFacts): void {
    const response_flags = flag ?? (reason === 'waypoint-unavailable' ? 'NWP' : '-');
    this.#denials.inc({ direction, reason, policy: policy ?? '', response_flags });
  }

  /** @param policy absent where it is the lack of one that matches */
  dryRun(outcome: DryRunNote['outcome'], policy: PolicyKey | undefined): void {
    this.#dryRuns.inc({ outcome, policy: policy ?? '' });
  }

  acceptFailed(): void {
    this.#acceptFailures.inc();
  }

  accessLine(result: AccessFate): void {
    this.#accessLines.inc({ result });
  }

  callerIgnored(): void {
    this.#ignoredCallers.inc();
  }

  gatewayRetried(): void {
    this.#gatewayRetries.inc();
  }

  endpointRetried(): void {
    this.#endpointRetries.inc();
  }

  misdirectedRetried(): void {
    this.#misdirectedRetries.inc();
  }

  nameLookedUp(source: Workload, hostname: string): void {
    this.lookups.nameLookedUp(source, hostname);
  }

  xdsTerminated(reason: XdsTermination): void {
    this.#xdsTerminations.inc({ reason });
  }

  /** @param bytes size of the resources, without the envelope */
  xdsReceived(url: string, bytes: number): void {
    this.#xdsMessages.inc({ url });
    this.#xdsBytes.inc({ url }, bytes);
  }

  /** Pods now served, and pods that wait for another try. */
  pods(active: number, pending: number): void {
    this.#podsActive.set(active);
    this.#podsPending.set(pending);
  }

  podStarted(): void {
    this.#podsStarted.inc();
  }

  podStopped(): void {
    this.#podsStopped.inc();
  }

  #counter(name: string, help: string, labelNames: string[]): Counter {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  #gauge(name: string, help: string, labelNames: string[]): Gauge {
    return new Gauge({ name, help, labelNames, registers: [this.registry] });
  }
}
