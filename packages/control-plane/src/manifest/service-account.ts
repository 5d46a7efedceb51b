import { Type } from 'typebox';
import { defineKind } from './kind.ts';
import { namespacedMetadata } from './metadata.ts';
import type { Kind } from './kind.ts';
import type { NamespacedMetadata } from './metadata.ts';

/** Accepted so that a directory can hold what a cluster needs; identities come from pods. */
export type ServiceAccountManifest = { readonly metadata: NamespacedMetadata };

export const serviceAccountKind: Kind<ServiceAccountManifest> = defineKind(
  { kind: 'ServiceAccount', apiVersions: ['v1'], scope: 'namespaced' },
  Type.Object({ metadata: namespacedMetadata }),
);
