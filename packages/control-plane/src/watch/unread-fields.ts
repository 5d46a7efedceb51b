/** What can still be read of an object that is not of its schema. */
import { Value } from 'typebox/value';
import type { Static, TSchema } from 'typebox';

export type UnreadFields = Readonly<Record<string, unknown>>;

/** A part of it: `undefined` where there is none. */
export function readAs<S extends TSchema>(schema: S, value: unknown): Static<S> | undefined | 'unreadable' {
  if (value === undefined) return undefined;
  return Value.Check(schema, value) ? value : 'unreadable';
}

/** A field that nobody knows may have been meant to say whom the object is for. */
export function hasStrangers(fields: UnreadFields, known: readonly string[]): boolean {
  return Object.keys(fields).some((name) => !known.includes(name));
}

export function isRecord(value: unknown): value is UnreadFields {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
