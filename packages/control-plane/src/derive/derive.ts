/**
 * Collections to model: what every proxy is to know.
 *
 * In: {@link Collections}, options and the time. Out: {@link MeshModel}.
 * D1  Pure: the same input gives an equal result in the same order; time is an argument.
 * D2  Fails closed: what cannot be evaluated denies, what has run out is STRICT.
 */
import type { PolicyKey } from '@clearmesh/shared/model/names';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import { convertAuthorizationPolicy } from './authorization.ts';
import { isOfRevision } from './labels.ts';
import { MtlsModes, nextPermissiveEnd, peerPolicies } from './mtls-mode.ts';
import { mtlsPolicyOf, portLevelPolicy, staticStrict } from './peer-authentication.ts';
import { derivePodWorkload } from './pod-workload.ts';
import { SelectorPolicies } from './policy-scope.ts';
import { deriveService } from './service.ts';
import type { Collections } from '../manifest/collections.ts';
import type { PodManifest } from '../manifest/pod.ts';
import type { MeshModel } from './mesh-model.ts';
import type { DeriveOptions } from './options.ts';

export function derive(collections: Collections, options: DeriveOptions, nowMs: number): MeshModel {
  const peers = peerPolicies(collections.peerAuthentications, options, nowMs);
  const modes = new MtlsModes(peers, options);
  const policies = collections.authorizationPolicies
    .filter((policy) => isOfRevision(policy.metadata.labels, options.revision))
    .map((policy) => ({ manifest: policy, converted: convertAuthorizationPolicy(policy, options) }));
  const attached = new SelectorPolicies(
    policies.flatMap((entry) => (entry.converted.policy === undefined ? [] : [entry.manifest])),
    options,
  );
  const changesAtMs = nextPermissiveEnd(collections.peerAuthentications, nowMs);
  return {
    workloads: deriveWorkloads(collections, attached, modes, options),
    services: deriveServices(collections, options),
    policies: [
      ...policies.flatMap((entry) => entry.converted.policy ?? []),
      ...(peers.length > 0 || options.defaultMtls === 'STRICT' ? [staticStrict(options)] : []),
      ...modes.withSelector.flatMap((peer) => portLevelPolicy(peer, modes) ?? []),
    ],
    notes: policies.flatMap((entry) => entry.converted.notes),
    ...(changesAtMs === undefined ? {} : { changesAtMs }),
  };
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
