/** What the policy kinds have in common. */
import { Type } from 'typebox';
import type { Labels } from './metadata.ts';

/** Without unknown fields: a mistyped condition would widen a rule unseen. */
export const strict: { readonly additionalProperties: false } = { additionalProperties: false };

/** The workloads a policy is for, by their labels. */
export type SelectorManifest = { readonly matchLabels?: Labels };

export const selectorSchema: Type.TUnsafe<SelectorManifest> = Type.Unsafe<SelectorManifest>(
  Type.Object({ matchLabels: Type.Optional(Type.Record(Type.String(), Type.String())) }, strict),
);
