/** Who a peer is by its own word, where addresses do not tell; telemetry only (l4-contract sections 2.8 and 8.1). */
import type { Workload } from '../model/workload.ts';
import { parseBaggage } from './baggage.ts';

/** What telemetry says of a workload: of the proxy's own knowledge, or by the peer's baggage. */
export type TelemetryWorkload = Pick<
  Workload,
  'name' | 'namespace' | 'clusterId' | 'workloadName' | 'canonicalName' | 'canonicalRevision' | 'locality'
>;

/** Whether a CONNECT comes from another network, where addresses mean something else. */
export function isFromElsewhere(xForwardedNetwork: string | undefined, ownNetwork: string): boolean {
  return xForwardedNetwork !== undefined && xForwardedNetwork.toLowerCase() !== ownNetwork.toLowerCase();
}

/** What a peer says of itself; `undefined` where it says nothing. */
export function workloadOfBaggage(baggage: string | undefined): TelemetryWorkload | undefined {
  if (baggage === undefined) return undefined;
  const facts = parseBaggage([baggage]);
  if (facts.namespace === undefined && facts.workloadName === undefined) return undefined;
  const workloadName = facts.workloadName ?? '';
  return {
    name: workloadName,
    workloadName,
    namespace: facts.namespace ?? '',
    clusterId: facts.clusterId ?? '',
    canonicalName: facts.canonicalName ?? '',
    canonicalRevision: facts.canonicalRevision ?? '',
    locality: { region: facts.region ?? '', zone: facts.zone ?? '', subzone: '' },
  };
}
