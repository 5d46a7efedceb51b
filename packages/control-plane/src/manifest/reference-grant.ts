import { Type } from 'typebox';
import { defineKind } from './kind.ts';
import { namespacedMetadata } from './metadata.ts';
import type { Kind } from './kind.ts';
import type { NamespacedMetadata } from './metadata.ts';

/**
 * Accepted so that a directory can hold what a cluster needs. Under a Service parent a backend of another namespace needs
 * no grant, as upstream; who may call it is decided by the backend's own policies.
 */
export type ReferenceGrantManifest = { readonly metadata: NamespacedMetadata };

export const referenceGrantKind: Kind<ReferenceGrantManifest> = defineKind(
  {
    kind: 'ReferenceGrant',
    apiVersions: ['gateway.networking.k8s.io/v1', 'gateway.networking.k8s.io/v1beta1'],
    scope: 'namespaced',
  },
  Type.Object({ metadata: namespacedMetadata }),
);
