/** What Istio's metrics say of the two ends of a connection or request: its names, so that its dashboards keep working. */
import type { SpiffeId } from '../identity/spiffe.ts';
import type { Workload } from '../model/workload.ts';

/** What metrics say of one end. */
export type MeteredPeer = Pick<Workload, 'workloadName' | 'namespace' | 'canonicalName' | 'canonicalRevision' | 'clusterId'>;

export const meteredEnds = ['source', 'destination'] as const;

/** Each begins with its end, such as `source_workload`. */
export const peerLabelNames = [
  'workload',
  'canonical_service',
  'canonical_revision',
  'workload_namespace',
  'principal',
  'app',
  'version',
  'cluster',
] as const;

/** What is not known is `unknown`. */
export function peerLabels(
  end: (typeof meteredEnds)[number],
  peer: MeteredPeer | undefined,
  identity: SpiffeId | undefined,
): Readonly<Record<string, string>> {
  return {
    [`${end}_workload`]: knownLabel(peer?.workloadName),
    [`${end}_canonical_service`]: knownLabel(peer?.canonicalName),
    [`${end}_canonical_revision`]: knownLabel(peer?.canonicalRevision),
    [`${end}_workload_namespace`]: knownLabel(peer?.namespace),
    [`${end}_principal`]: knownLabel(identity),
    [`${end}_app`]: knownLabel(peer?.canonicalName),
    [`${end}_version`]: knownLabel(peer?.canonicalRevision),
    [`${end}_cluster`]: knownLabel(peer?.clusterId),
  };
}

export function knownLabel(text: string | undefined): string {
  return text === undefined || text === '' ? 'unknown' : text;
}
