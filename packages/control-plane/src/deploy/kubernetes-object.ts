/** Objects as they are sent to an API server. */
import { objectName } from '../manifest/collections.ts';
import type { Labels } from '../manifest/metadata.ts';
import type { JsonMap } from './strategic-merge.ts';

export type OwnerRef = { readonly apiVersion: string; readonly kind: string; readonly name: string; readonly uid: string };

export type KubernetesObject = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Labels;
    readonly annotations?: Labels;
    readonly ownerReferences?: readonly OwnerRef[];
  };
  readonly spec?: JsonMap;
};

/** `Kind namespace/name`. */
export function keyOf(object: Pick<KubernetesObject, 'kind' | 'metadata'>): string {
  return `${object.kind} ${objectName(object.metadata)}`;
}
