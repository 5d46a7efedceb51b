import { Type } from 'typebox';
import { defineKind } from './kind.ts';
import { clusterMetadata } from './metadata.ts';
import type { Kind } from './kind.ts';
import type { Metadata } from './metadata.ts';

export type NamespaceManifest = { readonly metadata: Metadata };

export const namespaceKind: Kind<NamespaceManifest> = defineKind(
  { kind: 'Namespace', apiVersions: ['v1'], scope: 'cluster' },
  Type.Object({ metadata: clusterMetadata }),
);
