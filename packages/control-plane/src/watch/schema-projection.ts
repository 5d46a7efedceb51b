/** A value with what its schema names, and nothing else: of a pod of ten kilobytes some hundred bytes are read. */

type Schema = {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
};

/** Of a value that its schema let through. */
export function project(schema: unknown, value: unknown): unknown {
  if (schema === null || typeof schema !== 'object' || value === null || typeof value !== 'object') return value;
  const { properties, items } = schema as Schema;
  if (Array.isArray(value)) return items === undefined ? value : value.map((item: unknown) => project(items, item));
  if (properties === undefined) return value;
  const named = value as Readonly<Record<string, unknown>>;
  const kept: Record<string, unknown> = {};
  for (const [key, part] of Object.entries(properties)) {
    if (Object.hasOwn(named, key) && named[key] !== undefined) kept[key] = project(part, named[key]);
  }
  return kept;
}
