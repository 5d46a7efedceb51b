/** JSON Schema in the words of this folder: every value has a sentence, every object knows all its names. */

export type Schema = { readonly description?: string; readonly [keyword: string]: unknown };

/** An object whose names are all known, so that a mistyped one is caught. */
export function object(description: string, properties: Readonly<Record<string, Schema>>): Schema {
  return { description, type: 'object', additionalProperties: false, properties };
}

/** An object with names of the user's own. */
export function map(description: string, values: Schema, names?: string): Schema {
  return {
    description,
    type: 'object',
    ...(names === undefined ? {} : { propertyNames: { pattern: names } }),
    additionalProperties: values,
  };
}

/** What Kubernetes defines, and checks itself. */
export function kubernetes(description: string, type: 'object' | 'array' = 'object'): Schema {
  return { description, type, ...(type === 'array' ? { items: { type: 'object' } } : {}) };
}

export function text(description: string, pattern?: string): Schema {
  return { description, type: 'string', ...(pattern === undefined ? {} : { pattern }) };
}

export function flag(description: string): Schema {
  return { description, type: 'boolean' };
}

export function oneOf(description: string, values: readonly string[]): Schema {
  return { description, enum: values };
}

export function integer(description: string, minimum: number, maximum?: number): Schema {
  return { description, type: 'integer', minimum, ...(maximum === undefined ? {} : { maximum }) };
}

/** A number of pods, or a share of them. */
export function countOrPercent(description: string): Schema {
  return {
    description,
    anyOf: [
      { type: 'integer', minimum: 0 },
      { type: 'string', pattern: '^(100|[1-9]?[0-9])%$' },
    ],
  };
}

export function list(description: string, items: Schema): Schema {
  return { description, type: 'array', items, uniqueItems: true };
}

export const patterns = {
  /** A DNS label. */
  label: '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$',
  /** A DNS subdomain. */
  name: '^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$',
  /** The same, or nothing. */
  optionalName: '^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)?$',
  account: '^[a-z0-9][-a-z0-9]*/[a-z0-9][-a-z0-9.]*$',
  optionalDirectory: '^(/[^\\s:]*)?$',
  environment: '^[A-Za-z_][A-Za-z0-9_]*$',
  optionalAddress: '^(https://[^\\s/]+:[0-9]{1,5})?$',
  duration: '^([0-9]+(h|m|s|ms))+$',
} as const;
