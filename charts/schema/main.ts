/** Writes values.schema.json of every chart: `npm run schemas`. */
import { writeFile } from 'node:fs/promises';
import { chartSchemas } from './charts.ts';
import { schemaText } from './schema-text.ts';

for (const [name, schema] of Object.entries(chartSchemas)) {
  await writeFile(new URL(`../${name}/values.schema.json`, import.meta.url), schemaText(schema));
}
