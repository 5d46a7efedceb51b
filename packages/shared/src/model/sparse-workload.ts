import type { Workload } from './workload.ts';

/** What has to be known of a workload; the rest may be. */
export type KnownOfWorkload = Pick<
  Workload,
  'uid' | 'name' | 'namespace' | 'network' | 'trustDomain' | 'serviceAccount' | 'clusterId'
> &
  Partial<Workload>;

/** A healthy workload in the mesh of which no more is known: without policies, services and place, named as its own workload. */
export function sparseWorkload(known: KnownOfWorkload): Workload {
  return {
    addresses: [],
    hostname: '',
    tunnelProtocol: 'HBONE',
    nativeTunnel: false,
    node: '',
    canonicalName: known.name,
    canonicalRevision: 'latest',
    workloadType: 'POD',
    workloadName: known.name,
    authorizationPolicies: [],
    services: new Map(),
    status: 'HEALTHY',
    locality: { region: '', zone: '', subzone: '' },
    networkMode: 'STANDARD',
    capacity: 1,
    ...known,
  };
}
