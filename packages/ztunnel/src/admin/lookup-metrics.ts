/**
 * What is looked up when a connection needs it:
 *
 *   istio_on_demand_dns_total{source labels, hostname}   names of workloads without address, asked of the system's resolver
 *   clearmesh_on_demand_waits_total{outcome}             connections that waited for the control plane (`XDS_ON_DEMAND`):
 *                                                        answered, late, overload (too many waited) or aborted
 *
 * Series are bounded: hostnames come and go with the mesh.
 */
import { Counter } from 'prom-client';
import type { Registry } from 'prom-client';
import { spiffeId } from '@clearmesh/shared/identity/spiffe';
import type { Workload } from '@clearmesh/shared/model/workload';
import { peerLabelNames, peerLabels } from '@clearmesh/shared/observe/peer-labels';
import type { LookupOutcome } from '../discover/on-demand-mesh.ts';

export type LookupSeriesOptions = {
  /** Pairs of source and hostname told apart; of further ones the hostname is `overflow`. @default 1 000 */
  readonly maxPairs?: number;
};

export class LookupMetrics {
  readonly #maxPairs: number;
  readonly #names: Counter;
  readonly #waits: Counter;
  readonly #pairs = new Set<string>();

  constructor(options: LookupSeriesOptions, deps: { readonly registry: Registry }) {
    this.#maxPairs = options.maxPairs ?? 1_000;
    const registers = [deps.registry];
    this.#names = new Counter({
      name: 'istio_on_demand_dns_total',
      help: 'Names of workloads without address that connections had looked up',
      labelNames: [...peerLabelNames.map((name) => `source_${name}`), 'hostname'],
      registers,
    });
    this.#waits = new Counter({
      name: 'clearmesh_on_demand_waits_total',
      help: 'Connections that waited for the control plane to say what is at an address',
      labelNames: ['outcome'],
      registers,
    });
  }

  nameLookedUp(source: Workload, hostname: string): void {
    const isKept = this.#keeps(`${spiffeId(source)} ${source.workloadName} ${source.canonicalRevision} ${hostname}`);
    const labels = isKept ? peerLabels('source', source, spiffeId(source)) : peerLabels('source', undefined, undefined);
    this.#names.inc({ ...labels, hostname: isKept ? hostname : 'overflow' });
  }

  lookedUpOnDemand(outcome: LookupOutcome): void {
    this.#waits.inc({ outcome });
  }

  #keeps(pair: string): boolean {
    if (this.#pairs.has(pair)) return true;
    if (this.#pairs.size >= this.#maxPairs) return false;
    this.#pairs.add(pair);
    return true;
  }
}
