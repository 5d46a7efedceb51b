/**
 * Collections to model: what every proxy is to know.
 *
 * In: {@link Collections}, options and the time. Out: {@link MeshModel}.
 * D1  Pure: the same input gives an equal result in the same order; time is an argument.
 * D2  Fails closed: what cannot be evaluated denies, what has run out is STRICT, a waypoint that is named is required.
 */
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import { objectName } from '../manifest/collections.ts';
import { targetsOf } from '../manifest/target-ref.ts';
import { convertAuthorizationPolicy } from './authorization.ts';
import { automaticAddresses } from './automatic-address.ts';
import { endpointChoiceNotes } from './endpoint-choice.ts';
import { contestedHosts, deriveEntryHost, entryHosts } from './entry-host.ts';
import { entryFront, Fronts, serviceFront } from './front.ts';
import { withDomains } from './banking-domain.ts';
import { isOfRevision } from './labels.ts';
import { entryDestination, serviceDestination } from './l7/destination.ts';
import { objectKey } from './l7/object-key.ts';
import { deriveWaypoints, nextExperimentEnd } from './l7/waypoints.ts';
import { MtlsModes, nextPermissiveEnd, peerPolicies } from './mtls-mode.ts';
import { portLevelPolicy, staticStrict } from './peer-authentication.ts';
import { NetworkGateways } from './network-gateways.ts';
import { SelectorPolicies } from './policy-scope.ts';
import { deriveService, keyOfService } from './service.ts';
import { readinessOf, WaypointBindings } from './waypoint-binding.ts';
import { deriveEndpoints } from './workloads.ts';
import type { Collections } from '../manifest/collections.ts';
import type { Endpoint } from './endpoint.ts';
import type { EntryHost } from './entry-host.ts';
import type { Destination } from './l7/destination.ts';
import type { Served } from './l7/waypoints.ts';
import type { ServiceManifest } from '../manifest/service.ts';
import type { Bindings, MeshModel, Note } from './mesh-model.ts';
import type { DeriveOptions } from './options.ts';
import type { Binding } from './waypoint-binding.ts';

export function derive(given: Collections, options: DeriveOptions, nowMs: number): MeshModel {
  const collections = withDomains(given, options);
  const peers = peerPolicies(collections.peerAuthentications, options, nowMs);
  const modes = new MtlsModes(peers, options);
  const policies = collections.authorizationPolicies
    .filter((policy) => isOfRevision(policy.metadata.labels, options.revision))
    .map((policy) => ({ manifest: policy, converted: convertAuthorizationPolicy(policy, options) }));
  const attached = new SelectorPolicies(
    policies.flatMap((entry) => (entry.converted.policy === undefined ? [] : [entry.manifest])),
    options,
  );
  const addresses = automaticAddresses(collections.serviceEntries);
  const ofCluster = deriveServices(collections, options);
  const hosts = entryHosts(collections.serviceEntries, ofCluster);
  const services = [
    ...ofCluster,
    ...hosts.map((host) => deriveEntryHost(host, addresses.get(objectName(host.entry.metadata)) ?? [], options)),
  ];
  const fronts = new Fronts([
    ...collections.services.flatMap((service) => serviceFront(service, options) ?? []),
    ...hosts.map(entryFront),
  ]);
  const gateways = new NetworkGateways(collections.gateways, options);
  const endpoints = gateways.withGateways(deriveEndpoints(collections, { fronts, hosts, attached, modes }, options));
  const workloads = endpoints.map(({ workload }) => workload);
  const waypoints = new WaypointBindings(collections, options, readinessOf(workloads, services));
  const bindings = bindAll({ services: collections.services, hosts, endpoints }, waypoints, options);
  const own = collections.services.map((each) => serviceDestination(each, options));
  const taken = served([...own, ...hosts.map(entryDestination)], waypoints, bindings);
  const { configurations, reach } = deriveWaypoints(collections, taken, options, nowMs);
  const changesAtMs = earliest(
    nextPermissiveEnd(collections.peerAuthentications, nowMs),
    nextExperimentEnd(collections.faultExperiments, options, nowMs),
  );
  return {
    workloads: [...workloads.map((workload) => withWaypoint(workload, bindings)), ...gateways.workloads],
    services: gateways.withNames(services, workloads).map((service) => serviceWithWaypoint(service, bindings)),
    policies: [
      ...policies.flatMap((entry) => entry.converted.policy ?? []),
      ...(peers.length > 0 || options.defaultMtls === 'STRICT' ? [staticStrict(options)] : []),
      ...modes.withSelector.flatMap((peer) => portLevelPolicy(peer, modes) ?? []),
    ],
    waypoints: configurations,
    automaticAddresses: addresses,
    entryOf: new Map(hosts.map(({ key, entry }) => [key, objectName(entry.metadata)])),
    bindings,
    reach,
    notes: [
      ...policies.flatMap((entry) => entry.converted.notes),
      ...contestedHosts(collections.serviceEntries, hosts),
      ...endpointChoiceNotes(collections),
      ...unenforced(collections, reach, options),
      ...gateways.notes,
    ],
    ...(changesAtMs === undefined ? {} : { changesAtMs }),
  };
}

type Bindable = {
  readonly services: readonly ServiceManifest[];
  readonly hosts: readonly EntryHost[];
  readonly endpoints: readonly Endpoint[];
};

function bindAll({ services, hosts, endpoints }: Bindable, waypoints: WaypointBindings, options: DeriveOptions): Bindings {
  return {
    services: new Map([
      ...services.flatMap((service) => pair(keyOfService(service, options), waypoints.ofService(service))),
      ...hosts.flatMap(({ key, entry }) => pair(key, waypoints.ofEntry(entry))),
    ]),
    workloads: new Map(
      endpoints.flatMap(({ workload, waypointLabels }) => {
        const binding = waypointLabels && waypoints.ofWorkload(waypointLabels, workload.namespace);
        return pair(workload.uid, binding);
      }),
    ),
  };
}

function pair<K>(key: K, binding: Binding | undefined): readonly (readonly [K, Binding])[] {
  return binding === undefined ? [] : [[key, binding]];
}

/** What each waypoint takes, by the bindings that it serves. */
function served(destinations: readonly Destination[], waypoints: WaypointBindings, bindings: Bindings): readonly Served[] {
  const services = new Map<string, Destination[]>();
  for (const destination of destinations) {
    for (const gateway of gatewaysOf(bindings.services.get(destination.key))) {
      const list = services.get(gateway) ?? [];
      services.set(gateway, list);
      list.push(destination);
    }
  }
  const workloads = Map.groupBy(bindings.workloads, ([, binding]) => gatewaysOf(binding)[0]);
  return waypoints.waypoints.map((gateway) => {
    const key = objectName(gateway.metadata);
    return { gateway, services: services.get(key) ?? [], workloads: (workloads.get(key) ?? []).map(([uid]) => uid) };
  });
}

/** Whose traffic it may be. */
function gatewaysOf(binding: Binding | undefined): readonly string[] {
  const { canary } = binding ?? {};
  const gateways = [
    ...(binding?.served === true ? [binding.gateway] : []),
    ...(canary?.kind === 'used' && canary.served ? [canary.gateway] : []),
  ];
  return [...new Set(gateways)];
}

function withWaypoint(workload: Workload, { workloads }: Bindings): Workload {
  const binding = workloads.get(workload.uid);
  return binding?.address === undefined ? workload : { ...workload, waypoint: binding.address };
}

/** Ingress gateways can use only a waypoint that is there. */
function serviceWithWaypoint(service: Service, { services }: Bindings): Service {
  const binding = services.get(service.key);
  if (binding?.address === undefined) return { ...service, ingressUseWaypoint: false };
  const { address, canary } = binding;
  if (canary?.kind !== 'used') return { ...service, waypoint: address };
  const weightedWaypoints = [
    { destination: address, weight: 100 - canary.weight },
    { destination: canary.address, weight: canary.weight },
  ];
  return { ...service, waypoint: address, weightedWaypoints };
}

/** A policy for waypoints that no waypoint enforces reads like a protection that is there. */
function unenforced(collections: Collections, reach: MeshModel['reach'], options: DeriveOptions): readonly Note[] {
  return collections.authorizationPolicies.flatMap((policy) => {
    const object = objectKey('AuthorizationPolicy', policy);
    const ours = isOfRevision(policy.metadata.labels, options.revision) && targetsOf(policy.spec ?? {}).length > 0;
    if (!ours || reach.has(object)) return [];
    return [{ object, message: 'no target of the policy is behind a waypoint, so that nobody enforces it' }];
  });
}

function earliest(...times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

function deriveServices(collections: Collections, options: DeriveOptions): readonly Service[] {
  return collections.services.flatMap((service) => {
    return deriveService(service, collections.namespaces.get(service.metadata.namespace), options) ?? [];
  });
}
