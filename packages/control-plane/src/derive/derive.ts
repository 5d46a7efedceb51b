/**
 * Collections to model: what every proxy is to know.
 *
 * In: {@link Collections}, options and the time. Out: {@link MeshModel}.
 * D1  Pure: the same input gives an equal result in the same order; time is an argument.
 * D2  Fails closed: what cannot be evaluated denies, what has run out is STRICT, a waypoint that is named is required.
 */
import { podUid } from '@clearmesh/shared/model/names';
import type { PolicyKey } from '@clearmesh/shared/model/names';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import { objectName } from '../manifest/collections.ts';
import { targetsOf } from '../manifest/target-ref.ts';
import { convertAuthorizationPolicy } from './authorization.ts';
import { withDomains } from './banking-domain.ts';
import { isOfRevision } from './labels.ts';
import { objectKey } from './l7/object-key.ts';
import { deriveWaypoints, nextExperimentEnd } from './l7/waypoints.ts';
import { MtlsModes, nextPermissiveEnd, peerPolicies } from './mtls-mode.ts';
import { mtlsPolicyOf, portLevelPolicy, staticStrict } from './peer-authentication.ts';
import { derivePodWorkload } from './pod-workload.ts';
import { SelectorPolicies } from './policy-scope.ts';
import { deriveService, keyOfService } from './service.ts';
import { readinessOf, WaypointBindings } from './waypoint-binding.ts';
import type { Collections } from '../manifest/collections.ts';
import type { PodManifest } from '../manifest/pod.ts';
import type { Served } from './l7/waypoints.ts';
import type { Bindings, MeshModel, Note } from './mesh-model.ts';
import type { DeriveOptions } from './options.ts';
import type { Binding } from './waypoint-binding.ts';

export function derive(given: Collections, options: DeriveOptions, nowMs: number): MeshModel {
  const collections = withDomains(given);
  const peers = peerPolicies(collections.peerAuthentications, options, nowMs);
  const modes = new MtlsModes(peers, options);
  const policies = collections.authorizationPolicies
    .filter((policy) => isOfRevision(policy.metadata.labels, options.revision))
    .map((policy) => ({ manifest: policy, converted: convertAuthorizationPolicy(policy, options) }));
  const attached = new SelectorPolicies(
    policies.flatMap((entry) => (entry.converted.policy === undefined ? [] : [entry.manifest])),
    options,
  );
  const workloads = deriveWorkloads(collections, attached, modes, options);
  const services = deriveServices(collections, options);
  const waypoints = new WaypointBindings(collections, options, readinessOf(workloads, services));
  const bindings = bindAll(collections, waypoints, options);
  const { configurations, reach } = deriveWaypoints(
    collections,
    served(collections, waypoints, bindings, options),
    options,
    nowMs,
  );
  const changesAtMs = earliest(
    nextPermissiveEnd(collections.peerAuthentications, nowMs),
    nextExperimentEnd(collections.faultExperiments, options, nowMs),
  );
  return {
    workloads: workloads.map((workload) => withWaypoint(workload, bindings.workloads.get(workload.uid))),
    services: services.map((service) => serviceWithWaypoint(service, bindings.services.get(service.key))),
    policies: [
      ...policies.flatMap((entry) => entry.converted.policy ?? []),
      ...(peers.length > 0 || options.defaultMtls === 'STRICT' ? [staticStrict(options)] : []),
      ...modes.withSelector.flatMap((peer) => portLevelPolicy(peer, modes) ?? []),
    ],
    waypoints: configurations,
    bindings,
    reach,
    notes: [...policies.flatMap((entry) => entry.converted.notes), ...unenforced(collections, reach, options)],
    ...(changesAtMs === undefined ? {} : { changesAtMs }),
  };
}

function bindAll(collections: Collections, waypoints: WaypointBindings, options: DeriveOptions): Bindings {
  return {
    services: new Map(
      collections.services.flatMap((service) => {
        const binding = waypoints.ofService(service);
        return binding === undefined ? [] : [[keyOfService(service, options), binding] as const];
      }),
    ),
    workloads: new Map(
      collections.pods.flatMap((pod) => {
        const binding = waypoints.ofPod(pod);
        const { namespace, name } = pod.metadata;
        return binding === undefined ? [] : [[podUid(options.clusterId, namespace, name), binding] as const];
      }),
    ),
  };
}

/** What each waypoint takes, by the bindings that it serves. */
function served(
  collections: Collections,
  waypoints: WaypointBindings,
  bindings: Bindings,
  options: DeriveOptions,
): readonly Served[] {
  const gatewayOf = (binding: Binding | undefined): string | undefined =>
    binding?.served === true ? binding.gateway : undefined;
  const services = Map.groupBy(collections.services, (each) => gatewayOf(bindings.services.get(keyOfService(each, options))));
  const workloads = Map.groupBy(bindings.workloads, ([, binding]) => gatewayOf(binding));
  return waypoints.waypoints.map((gateway) => {
    const key = objectName(gateway.metadata);
    return { gateway, services: services.get(key) ?? [], workloads: (workloads.get(key) ?? []).map(([uid]) => uid) };
  });
}

function withWaypoint(workload: Workload, binding: Binding | undefined): Workload {
  return binding?.address === undefined ? workload : { ...workload, waypoint: binding.address };
}

/** Ingress gateways can use only a waypoint that is there. */
function serviceWithWaypoint(service: Service, binding: Binding | undefined): Service {
  return binding?.address === undefined ? { ...service, ingressUseWaypoint: false } : { ...service, waypoint: binding.address };
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

function deriveWorkloads(
  collections: Collections,
  attached: SelectorPolicies,
  modes: MtlsModes,
  options: DeriveOptions,
): readonly Workload[] {
  const servicesByNamespace = Map.groupBy(collections.services, (service) => service.metadata.namespace);
  const policiesOf = (pod: PodManifest): readonly PolicyKey[] => {
    const { namespace, labels } = pod.metadata;
    const mtls = mtlsPolicyOf(namespace, labels, modes, options);
    return [...attached.matching(namespace, labels), ...(mtls === undefined ? [] : [mtls])].sort();
  };
  return collections.pods.flatMap((pod) => {
    const around = {
      services: servicesByNamespace.get(pod.metadata.namespace) ?? [],
      node: collections.nodes.get(pod.spec?.nodeName ?? ''),
      policies: policiesOf(pod),
    };
    return derivePodWorkload(pod, around, options) ?? [];
  });
}
