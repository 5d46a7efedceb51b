/**
 * The metrics of the node agent; docs/METRICS.md names each. The one to watch is clearmesh_agent_uncaptured_pods: pods that
 * belong to the mesh and are not in it.
 */
import { Counter, Gauge, Registry } from 'prom-client';
import { registerProcessMetrics } from '@clearmesh/shared/admin/process-metrics';
import type { CaptureEvent } from '../capture/capture-state.ts';
import type { CaptureCounts, OlderCount } from '../capture/captures.ts';

export type AgentMetricsDeps = {
  readonly counts: () => CaptureCounts;
  readonly countOlder: () => readonly OlderCount[];
  readonly isLive: () => boolean;
  readonly proxies: () => number;
  readonly isInstalled: () => boolean;
};

export class AgentMetrics {
  readonly registry: Registry = new Registry();
  readonly #captures: Counter;
  readonly #calls: Counter;
  readonly #writes: Counter;

  constructor(deps: AgentMetricsDeps) {
    registerProcessMetrics(this.registry);
    this.#gauge('clearmesh_agent_enrolled_pods', 'Pods of the node that belong to the mesh', () => deps.counts().enrolled);
    this.#gauge('clearmesh_agent_captured_pods', 'Pods of the node that are in the mesh', () => deps.counts().captured);
    this.#gauge(
      'clearmesh_agent_pending_pods',
      'Pods whose rules stand and that the proxy has not taken over',
      () => deps.counts().pending,
    );
    this.#gauge('clearmesh_agent_uncaptured_pods', 'Pods that belong to the mesh and are not in it', () => {
      const { enrolled, captured } = deps.counts();
      return enrolled - captured;
    });
    this.#olderGauge(deps.countOlder);
    this.#gauge('clearmesh_agent_proxies', 'Node proxies connected', deps.proxies);
    this.#gauge('clearmesh_agent_api_live', 'Whether pods and namespaces are being watched', () => Number(deps.isLive()));
    this.#gauge('clearmesh_agent_plugin_installed', 'Whether the plugin is in the network configuration', () =>
      Number(deps.isInstalled()),
    );
    this.#captures = this.#counter('clearmesh_agent_captures_total', 'Captures of pods, by what came of them', ['event']);
    this.#calls = this.#counter('clearmesh_agent_plugin_calls_total', 'Calls of the CNI plugin', ['command', 'result']);
    this.#writes = this.#counter('clearmesh_agent_configuration_writes_total', 'Changes to the network configuration', []);
  }

  recvCapture(event: CaptureEvent): void {
    this.#captures.inc({ event });
  }

  recvCall(command: string, result: string): void {
    this.#calls.inc({ command, result });
  }

  recvWrite(): void {
    this.#writes.inc();
  }

  #gauge(name: string, help: string, read: () => number): void {
    const gauge: Gauge = new Gauge({ name, help, registers: [this.registry], collect: () => gauge.set(read()) });
  }

  /** By namespace: those of the node's pods, and no more. */
  #olderGauge(countOlder: AgentMetricsDeps['countOlder']): void {
    const gauge: Gauge = new Gauge({
      name: 'clearmesh_agent_uncaptured_connections',
      help: 'Connections of captured pods that were open before and go on in plaintext',
      labelNames: ['namespace'],
      registers: [this.registry],
      collect: () => {
        gauge.reset();
        for (const { namespace, connections } of countOlder()) gauge.inc({ namespace }, connections);
      },
    });
  }

  #counter(name: string, help: string, labelNames: readonly string[]): Counter {
    return new Counter({ name, help, labelNames: [...labelNames], registers: [this.registry] });
  }
}
