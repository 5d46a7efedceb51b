/** What is wrong with an object only because of what stands around it. */
import { domainPolicies } from '../derive/banking-domain.ts';
import { podNames } from '../deploy/gateway-pods.ts';
import { objectName } from '../manifest/collections.ts';
import { environmentLabel, environmentOf } from '../manifest/environment.ts';
import { maxProductionPercent } from '../manifest/fault-experiment.ts';
import { isManaged, isWaypoint } from '../manifest/gateway.ts';
import { gatewayNameLabel, isGatewayPod } from '../manifest/managed.ts';
import { serviceAccountOf } from '../manifest/pod.ts';
import type { Manifest } from '../manifest/collections.ts';
import type { FaultExperimentManifest } from '../manifest/fault-experiment.ts';
import type { NamespaceManifest } from '../manifest/namespace.ts';
import type { PodManifest } from '../manifest/pod.ts';
import type { ResiliencePolicyManifest } from '../manifest/resilience-policy.ts';
import type { Finding } from '@clearmesh/shared/document/finding';

export type Misplaced<T> = { readonly at: T; readonly finding: Finding };

type Surroundings = {
  readonly namespaces: ReadonlyMap<string, NamespaceManifest>;
  readonly resilience: readonly ResiliencePolicyManifest[];
  /** `namespace/name` of waypoints that the mesh runs itself: their accounts and Services have the same names. */
  readonly waypoints: ReadonlySet<string>;
  /** `namespace/name` of their pods. */
  readonly waypointPods: ReadonlySet<string>;
};

/**
 * @param implied whether a waypoint's pods follow from its Gateway; in a cluster they are a Deployment's, named at random
 * @param standIns what stands for others, and is not judged itself
 */
export function checkSurroundings<T extends { readonly manifest: Manifest }>(
  objects: readonly T[],
  implied = true,
  standIns: readonly Manifest[] = [],
): readonly Misplaced<T>[] {
  const around = surroundingsOf([...objects.map(({ manifest }) => manifest), ...standIns], implied);
  return objects.flatMap((at) => findingsOf(at.manifest, around).map((finding) => ({ at, finding })));
}

function surroundingsOf(manifests: readonly Manifest[], implied: boolean): Surroundings {
  const gateways = manifests.flatMap((each) => (each.kind === 'Gateway' ? [each.value] : []));
  const waypoints = gateways.filter((gateway) => isWaypoint(gateway) && isManaged(gateway));
  return {
    namespaces: new Map(manifests.flatMap((each) => (each.kind === 'Namespace' ? [[each.value.metadata.name, each.value]] : []))),
    resilience: manifests.flatMap((each) => {
      if (each.kind === 'BankingDomain') return domainPolicies(each.value);
      return each.kind === 'ResiliencePolicy' ? [each.value] : [];
    }),
    waypoints: new Set(waypoints.map(({ metadata }) => objectName(metadata))),
    waypointPods: new Set(
      (implied ? waypoints : []).flatMap((gateway) => podNames(gateway).map((name) => objectName({ ...gateway.metadata, name }))),
    ),
  };
}

function findingsOf(manifest: Manifest, around: Surroundings): readonly Finding[] {
  const { kind, value } = manifest;
  if (kind === 'FaultExperiment') return checkExperiment(value, around);
  if (kind === 'Service') return checkName(manifest, around.waypoints);
  return kind === 'Pod' ? [...checkName(manifest, around.waypointPods), ...checkAccount(value, around)] : [];
}

/** Objects that carry the Gateway's label are what follows from it, written by hand. */
function checkName({ kind, value: { metadata } }: Manifest, taken: ReadonlySet<string>): readonly Finding[] {
  if (isGatewayPod(metadata.labels) || !taken.has(objectName(metadata))) return [];
  return [
    {
      path: ['metadata', 'name'],
      value: metadata.name,
      message: `is the name of a ${kind} that follows from a waypoint’s Gateway`,
      remedy: 'Rename one of the two: a waypoint has a Service of its own name, and pods with a number behind it.',
    },
  ];
}

/** Whoever runs under a waypoint's account has the waypoint's identity, and with it every right that is given to it. */
function checkAccount(pod: PodManifest, { waypoints }: Surroundings): readonly Finding[] {
  const account = serviceAccountOf(pod);
  if (pod.metadata.labels?.[gatewayNameLabel] === account || !waypoints.has(`${pod.metadata.namespace}/${account}`)) return [];
  return [
    {
      path: ['spec', 'serviceAccountName'],
      value: account,
      message: `is the account of the waypoint ${pod.metadata.namespace}/${account}, whose identity would be the pod’s`,
      remedy: 'Give the pod an account of its own.',
    },
  ];
}

/** l7-and-resilience C6: the first of two independent checks; the other one is the waypoint's. */
function checkExperiment({ metadata, spec }: FaultExperimentManifest, around: Surroundings): readonly Finding[] {
  const test = environmentOf(around.namespaces.get(metadata.namespace)) === 'test';
  return [...(test ? [] : outsideTest(metadata.namespace, spec.percent ?? 1)), ...moneyTouched(metadata.namespace, spec, around)];
}

function outsideTest(namespace: string, percent: number): readonly Finding[] {
  const found: Finding[] = [
    {
      path: ['metadata', 'namespace'],
      value: namespace,
      message: 'is no test environment, and faults are injected nowhere else',
      remedy: `Move the experiment to a namespace with the label ${environmentLabel}: test.`,
    },
  ];
  if (percent > maxProductionPercent) {
    const remedy = `Write at most ${maxProductionPercent}.`;
    found.push({ path: ['spec', 'percent'], value: percent, message: 'is more than an experiment may touch here', remedy });
  }
  return found;
}

/** In a test environment too: what is drilled there is what runs in production later. */
function moneyTouched(namespace: string, spec: FaultExperimentManifest['spec'], around: Surroundings): readonly Finding[] {
  const found: Finding[] = [];
  for (const [index, { kind, name }] of spec.targetRefs.entries()) {
    if (!movesMoney(kind, name, namespace, around.resilience)) continue;
    found.push({
      path: ['spec', 'targetRefs', index, 'name'],
      value: name,
      message: 'moves money (class money-movement of its ResiliencePolicy), and is never part of an experiment',
      remedy: 'Remove the target.',
    });
  }
  return found;
}

/** By any policy for the service or its namespace: a more specific one does not make money less so. */
function movesMoney(kind: string, name: string, namespace: string, policies: readonly ResiliencePolicyManifest[]): boolean {
  if (kind !== 'Service' && kind !== 'ServiceEntry') return false;
  return policies.some(
    ({ metadata, spec }) =>
      metadata.namespace === namespace &&
      spec.class === 'money-movement' &&
      spec.targetRefs.some((target) => (target.kind === kind && target.name === name) || target.kind === 'Namespace'),
  );
}
