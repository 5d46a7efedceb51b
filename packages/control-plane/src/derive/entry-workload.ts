/**
 * Machines outside of Kubernetes as workloads (control-plane-contract section 2.3): a WorkloadEntry, and the endpoints of a
 * ServiceEntry: those it lists, or one a host where DNS knows them.
 */
import { parseIp } from '@clearmesh/shared/model/ip-address';
import { entryEndpointUid, workloadEntryUid } from '@clearmesh/shared/model/names';
import type { PolicyKey, ServiceKey, WorkloadUid } from '@clearmesh/shared/model/names';
import type { Locality, PortMapping, Workload } from '@clearmesh/shared/model/workload';
import { labelsOfEntry } from '../manifest/workload-entry.ts';
import { canonicalOf } from './canonical.ts';
import { entryPorts } from './endpoint-ports.ts';
import { entryFront } from './front.ts';
import { tunnelOf } from './tunnel.ts';
import type { EntrySpec, WorkloadEntryManifest } from '../manifest/workload-entry.ts';
import type { Labels, NamespacedMetadata } from '../manifest/metadata.ts';
import type { ServiceEntryManifest } from '../manifest/service-entry.ts';
import type { Endpoint } from './endpoint.ts';
import type { EntryHost } from './entry-host.ts';
import type { Front } from './front.ts';
import type { DeriveOptions } from './options.ts';

/** Keys, sorted, of the policies that a workload with these labels lists. */
export type PoliciesOf = (namespace: string, labels: Labels | undefined) => readonly PolicyKey[];

export function deriveWorkloadEntry(
  manifest: WorkloadEntryManifest,
  fronts: readonly Front[],
  policiesOf: PoliciesOf,
  options: DeriveOptions,
): Endpoint {
  const { metadata, spec = {} } = manifest;
  const labels = labelsOfEntry(manifest);
  const { namespace, name } = metadata;
  const uid = workloadEntryUid(options.clusterId, namespace, name);
  const services = new Map(fronts.map((front) => [front.key, entryPorts(spec.ports, front)] as const));
  const machine = { uid, metadata, labels, spec, services, policies: policiesOf(namespace, labels) };
  return { workload: workloadOf(machine, options), waypointLabels: labels };
}

/** @param hosts of the entry that it is the one service of */
export function deriveEntryEndpoints(
  hosts: readonly [EntryHost, ...EntryHost[]],
  policiesOf: PoliciesOf,
  options: DeriveOptions,
): readonly Endpoint[] {
  const [{ entry }] = hosts;
  const { resolution = 'NONE', endpoints = [], workloadSelector } = entry.spec;
  if (resolution === 'NONE' || workloadSelector !== undefined) return [];
  const listed = endpoints.map((spec) => entryEndpoint(entry, spec, hosts, policiesOf, options));
  if (listed.length > 0) return lastOfEach(listed);
  if (resolution === 'STATIC') return [];
  return hosts.map((host) => entryEndpoint(entry, { address: host.host }, [host], policiesOf, options));
}

/** Who it is by the entry's labels; its own name a waypoint alone, as upstream. */
function entryEndpoint(
  { metadata }: ServiceEntryManifest,
  spec: EntrySpec,
  hosts: readonly EntryHost[],
  policiesOf: PoliciesOf,
  options: DeriveOptions,
): Endpoint {
  const { namespace, name, labels = {} } = metadata;
  // All of a network are one endpoint without address.
  const uid = entryEndpointUid(options.clusterId, namespace, name, spec.address || (spec.network ?? ''));
  const services = new Map(hosts.map((host) => [host.key, entryPorts(spec.ports, entryFront(host))] as const));
  const machine = { uid, metadata, labels, spec, services, policies: policiesOf(namespace, labels) };
  return { workload: workloadOf(machine, options), waypointLabels: spec.labels ?? {} };
}

/** Two endpoints of one address are one workload, the later one. */
function lastOfEach(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  return [...new Map(endpoints.map((endpoint) => [endpoint.workload.uid, endpoint])).values()];
}

type Machine = {
  readonly uid: WorkloadUid;
  readonly metadata: NamespacedMetadata;
  readonly labels: Labels;
  readonly spec: EntrySpec;
  readonly services: ReadonlyMap<ServiceKey, readonly PortMapping[]>;
  readonly policies: readonly PolicyKey[];
};

/** It is healthy, since nobody tells: conditions of a WorkloadEntry are not read, as upstream. */
function workloadOf({ uid, metadata, labels, spec, services, policies }: Machine, options: DeriveOptions): Workload {
  const { address = '', network, locality, weight = 0, serviceAccount = '' } = spec;
  const ip = parseIp(address);
  const name = labels['service.istio.io/workload-name'] ?? metadata.name;
  const canonical = canonicalOf(labels, name);
  return {
    uid,
    name: metadata.name,
    namespace: metadata.namespace,
    addresses: ip === undefined ? [] : [ip],
    hostname: ip === undefined ? address : '',
    network: network || options.network,
    ...tunnelOf(labels, metadata.annotations),
    trustDomain: options.trustDomain,
    serviceAccount,
    node: '',
    clusterId: options.clusterId,
    canonicalName: canonical.name,
    canonicalRevision: canonical.revision,
    workloadType: 'POD',
    workloadName: name,
    authorizationPolicies: policies,
    services,
    status: 'HEALTHY',
    locality: parseLocality(locality),
    networkMode: 'STANDARD',
    capacity: weight === 0 ? 1 : weight,
  };
}

function parseLocality(text = ''): Locality {
  const [region = '', zone = '', subzone = ''] = text.split('/');
  return { region, zone, subzone };
}
