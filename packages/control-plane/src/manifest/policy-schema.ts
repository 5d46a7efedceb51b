/** What the policy kinds have in common. */
import { Type } from 'typebox';
import type { TSchema } from 'typebox';
import { policyMetadata } from './metadata.ts';
import type { Labels } from './metadata.ts';

/** Without unknown fields: a mistyped condition would widen a rule unseen. */
export const strict: { readonly additionalProperties: false } = { additionalProperties: false };

type PolicyObjectSchema<S extends TSchema> = Type.TObject<{
  apiVersion: Type.TString;
  kind: Type.TString;
  metadata: typeof policyMetadata;
  spec: S;
  status: Type.TOptional<Type.TUnknown>;
}>;

/** A whole object around its spec. The status is the API server's, and not read. */
export function policyObject<S extends TSchema>(spec: S): PolicyObjectSchema<S> {
  return Type.Object(
    {
      apiVersion: Type.String(),
      kind: Type.String(),
      metadata: policyMetadata,
      spec,
      status: Type.Optional(Type.Unknown()),
    },
    strict,
  );
}

/**
 * How much a policy is for that stands for one which cannot be read: what that is attached to, or all that it could be.
 * No manifest says it.
 */
export type StandInReach = 'attached' | 'namespace';

/** The workloads a policy is for, by their labels. */
export type SelectorManifest = { readonly matchLabels?: Labels };

export const selectorSchema: Type.TUnsafe<SelectorManifest> = Type.Unsafe<SelectorManifest>(
  Type.Object({ matchLabels: Type.Optional(Type.Record(Type.String(), Type.String())) }, strict),
);
