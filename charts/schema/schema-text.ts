import type { Schema } from './schema.ts';

/** The content of a values.schema.json. */
export function schemaText(schema: Schema): string {
  return `${JSON.stringify({ $schema: 'http://json-schema.org/draft-07/schema#', ...schema }, null, 2)}\n`;
}
