/**
 * What a manifest may be. A kind ties a name to its schema and to the type the rest of the control plane reads;
 * the compiler checks that what the schema lets through is assignable to that type.
 */
import type { Static, TSchema } from 'typebox';

/** One supported kind of object. */
export type Kind<T> = {
  readonly kind: string;
  readonly apiVersions: readonly [string, ...string[]];
  readonly scope: 'namespaced' | 'cluster';
  readonly schema: TSchema;
  /** Only after the schema let the value through. */
  readonly as: (checked: unknown) => T;
};

/** A kind whose type is what its schema lets through. */
export function defineKind<S extends TSchema>(
  facts: {
    readonly kind: string;
    readonly apiVersions: readonly [string, ...string[]];
    readonly scope: 'namespaced' | 'cluster';
  },
  schema: S,
): Kind<Static<S>> {
  return { ...facts, schema, as: (checked) => checked as Static<S> };
}
