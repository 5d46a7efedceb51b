/** `metadata` of every object, as far as the mesh reads it. */
import { Type } from 'typebox';
import { patterned } from './patterned.ts';
import type { TSchema } from 'typebox';

export type Labels = Readonly<Record<string, string>>;

export type OwnerReference = { readonly kind: string; readonly name: string; readonly controller?: boolean };

export type Metadata = {
  readonly name: string;
  readonly generateName?: string;
  readonly uid?: string;
  readonly labels?: Labels;
  readonly annotations?: Labels;
  /** RFC 3339; absent for objects of a directory. */
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly ownerReferences?: readonly OwnerReference[];
};

export type NamespacedMetadata = Metadata & { readonly namespace: string };

const subdomain = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const label = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** RFC 1123 subdomain: what Kubernetes allows as the name of an object. */
const nameSchema = Type.Refine(
  Type.String(),
  (text) => subdomain.test(text),
  () => 'lower-case letters, digits, "-" and "."',
);

/** RFC 1123 label: a namespace becomes part of a SPIFFE path, so that nothing else may pass. */
export const namespaceSchema: Type.TUnsafe<string> = patterned(label, 'lower-case letters, digits and "-"');

export const labelsSchema: Type.TRecord<'^.*$', Type.TString> = Type.Record(Type.String(), Type.String());

const ownerSchema = Type.Object({ kind: Type.String(), name: Type.String(), controller: Type.Optional(Type.Boolean()) });

const fields = {
  name: nameSchema,
  generateName: Type.Optional(Type.String()),
  uid: Type.Optional(Type.String()),
  labels: Type.Optional(labelsSchema),
  annotations: Type.Optional(labelsSchema),
  creationTimestamp: Type.Optional(Type.String()),
  deletionTimestamp: Type.Optional(Type.String()),
  ownerReferences: Type.Optional(Type.Array(ownerSchema)),
};

/** Fields that an API server adds and the mesh does not read: known, so that they are no typing error. */
const unread = Object.fromEntries(
  ['resourceVersion', 'generation', 'managedFields', 'finalizers', 'selfLink', 'deletionGracePeriodSeconds'].map((name) => [
    name,
    Type.Optional(Type.Unknown()) as TSchema,
  ]),
);

type MetadataSchema = Type.TUnsafe<Metadata>;
type NamespacedMetadataSchema = Type.TUnsafe<NamespacedMetadata>;

/** Metadata of a cluster-scoped object. */
export const clusterMetadata: MetadataSchema = Type.Unsafe<Metadata>(Type.Object(fields));

/** Metadata of a namespaced object; the namespace is never guessed. */
export const namespacedMetadata: NamespacedMetadataSchema = Type.Unsafe<NamespacedMetadata>(
  Type.Object({ ...fields, namespace: namespaceSchema }),
);

/** As {@link namespacedMetadata}, without unknown fields: a mistyped field of a policy may not pass unseen. */
export const policyMetadata: NamespacedMetadataSchema = Type.Unsafe<NamespacedMetadata>(
  Type.Object({ ...fields, namespace: namespaceSchema, ...unread }, { additionalProperties: false }),
);

/** The same of a cluster-scoped object. */
export const clusterPolicyMetadata: MetadataSchema = Type.Unsafe<Metadata>(
  Type.Object({ ...fields, ...unread }, { additionalProperties: false }),
);
