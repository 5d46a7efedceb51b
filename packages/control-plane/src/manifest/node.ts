import { Type } from 'typebox';
import { defineKind } from './kind.ts';
import { clusterMetadata } from './metadata.ts';
import type { Kind } from './kind.ts';
import type { Metadata } from './metadata.ts';

/** A machine; only its topology labels are read. */
export type NodeManifest = { readonly metadata: Metadata };

export const nodeKind: Kind<NodeManifest> = defineKind(
  { kind: 'Node', apiVersions: ['v1'], scope: 'cluster' },
  Type.Object({ metadata: clusterMetadata }),
);
