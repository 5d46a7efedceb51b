/** The kinds that are made for a Gateway, as resources, and what tells that one of them was changed. */
import { isOurs, gatewayNameLabel, managedLabel, ourController } from '../manifest/managed.ts';
import type { ApiObject, Resource } from '../kubernetes/resource.ts';
import type { Labels } from '../manifest/metadata.ts';

export const deployedResources: readonly Resource[] = [
  { apiVersion: 'v1', kind: 'ServiceAccount', plural: 'serviceaccounts' },
  { apiVersion: 'v1', kind: 'Service', plural: 'services' },
  { apiVersion: 'apps/v1', kind: 'Deployment', plural: 'deployments' },
  { apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler', plural: 'horizontalpodautoscalers' },
  { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', plural: 'poddisruptionbudgets' },
];

/** Made only where they are asked for, and removed when they no longer are. */
export const optionalKinds: ReadonlySet<string> = new Set(['HorizontalPodAutoscaler', 'PodDisruptionBudget']);

/** Selects what this control plane made. */
export const managedSelector: string = `${managedLabel}=${ourController}`;

export function resourceOf(kind: string): Resource {
  const resource = deployedResources.find((each) => each.kind === kind);
  if (resource === undefined) throw new Error(`${kind} is made for no Gateway`);
  return resource;
}

/** An object as it stands in the cluster, as far as it matters here. */
export type LiveObject = {
  /** `Kind namespace/name`. */
  readonly key: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** Made by this control plane. */
  readonly ours: boolean;
  /** `namespace/name`; "" where none is named. */
  readonly gateway: string;
  /** Other after every change but those of its status. */
  readonly print: string;
};

type Metadata = ApiObject['metadata'] & {
  readonly labels?: Labels | null;
  readonly annotations?: Labels | null;
  readonly ownerReferences?: readonly { readonly uid: string }[] | null;
};

export function readLiveObject(object: ApiObject): LiveObject {
  const { kind } = object;
  const { namespace = '', name, uid = '', generation, labels, annotations, ownerReferences } = object.metadata as Metadata;
  const { spec } = object as { readonly spec?: unknown };
  const gateway = labels?.[gatewayNameLabel];
  return {
    key: `${kind} ${namespace}/${name}`,
    kind,
    namespace,
    name,
    uid,
    ours: isOurs(labels ?? undefined),
    gateway: gateway === undefined ? '' : `${namespace}/${gateway}`,
    // A generation counts changes of the spec; a Service has none.
    print: JSON.stringify([
      uid,
      labels,
      withoutControllers(annotations ?? {}),
      ownerReferences?.map((owner) => owner.uid),
      kind === 'Service' ? spec : generation,
    ]),
  };
}

/** The deployment controller counts its rollouts in an annotation. */
function withoutControllers(annotations: Labels): Labels {
  return Object.fromEntries(Object.entries(annotations).filter(([key]) => !key.startsWith('deployment.kubernetes.io/')));
}
