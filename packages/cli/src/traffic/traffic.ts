/**
 * Who talks to whom, from the counters of every node's proxy (l4-contract section 11.1).
 *
 * A connection between two captured pods is counted twice, once at each end. The source's report is taken, since it knows
 * what was asked for; the destination's is taken for callers outside the mesh, who have no proxy of their own. A refusal
 * is decided at the destination, so denials always come from there.
 */
import type { Sample } from './exposition.ts';
import { parseSpiffeId, identityParts } from '@clearmesh/shared/identity/spiffe';

export type TrafficRow = {
  /** `namespace/workload`, or `unknown`. */
  readonly source: string;
  /** `namespace/service`, or `namespace/workload` where no service was addressed. */
  readonly destination: string;
  /** The caller's `namespace/service account`, or `undefined` without mutual TLS. */
  readonly identity: string | undefined;
  readonly connections: number;
  readonly bytes: number;
  readonly denials: number;
};

type Report = { connections: number; bytes: number; denials: number; identity: string | undefined };
type Pair = { readonly source: string; readonly destination: string; readonly atSource: Report; readonly atDestination: Report };

/** One row a pair of source and destination, in the order of their names. */
export function trafficRows(samples: readonly Sample[]): readonly TrafficRow[] {
  const pairs = new Map<string, Pair>();
  for (const sample of samples) count(pairs, sample);
  return [...pairs.values()]
    .map((pair) => rowOf(pair))
    .filter((row) => row.connections + row.denials > 0)
    .sort((a, b) => (`${a.source} ${a.destination}` < `${b.source} ${b.destination}` ? -1 : 1));
}

function count(pairs: Map<string, Pair>, { name, labels, value }: Sample): void {
  if (!name.startsWith('istio_tcp_')) return;
  const source = workload(labels, 'source');
  const destination = service(labels) ?? workload(labels, 'destination');
  const key = `${source} ${destination}`;
  const pair = pairs.get(key) ?? { source, destination, atSource: emptyReport(), atDestination: emptyReport() };
  pairs.set(key, pair);
  const report = labels.get('reporter') === 'source' ? pair.atSource : pair.atDestination;
  report.identity ??= identity(labels.get('source_principal'));
  const denied = labels.get('response_flags') === 'DENY';
  if (denied && /_(?:opened|failed)(?:_total)?$/.test(name)) report.denials += value;
  else if (/_opened(?:_total)?$/.test(name)) report.connections += value;
  else if (/_bytes(?:_total)?$/.test(name)) report.bytes += value;
}

function rowOf({ source, destination, atSource, atDestination }: Pair): TrafficRow {
  const { connections, bytes } = atSource.connections > 0 ? atSource : atDestination;
  const identity = atDestination.identity ?? atSource.identity;
  return { source, destination, identity, connections, bytes, denials: atDestination.denials };
}

function emptyReport(): Report {
  return { connections: 0, bytes: 0, denials: 0, identity: undefined };
}

function known(value: string | undefined): string | undefined {
  return value === undefined || value === '' || value === 'unknown' ? undefined : value;
}

function workload(labels: ReadonlyMap<string, string>, side: 'source' | 'destination'): string {
  const name = known(labels.get(`${side}_workload`));
  const namespace = known(labels.get(`${side}_workload_namespace`));
  return name === undefined ? 'unknown' : `${namespace ?? '?'}/${name}`;
}

function service(labels: ReadonlyMap<string, string>): string | undefined {
  const name = known(labels.get('destination_service_name'));
  const namespace = known(labels.get('destination_service_namespace'));
  return name === undefined || namespace === undefined ? undefined : `${namespace}/${name}`;
}

function identity(principal: string | undefined): string | undefined {
  const id = principal === undefined ? undefined : parseSpiffeId(principal);
  if (id === undefined) return undefined;
  const { namespace, serviceAccount } = identityParts(id);
  return `${namespace}/${serviceAccount}`;
}
