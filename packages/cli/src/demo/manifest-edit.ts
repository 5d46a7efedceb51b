/** Edits of manifests on disk, as a person would make them: one field of one object, everything else and every comment kept. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { Document } from 'yaml';
import { manifestFiles } from '../up/manifests.ts';

export type ObjectName = { readonly kind: string; readonly name: string; readonly namespace?: string };

/** A path into an object; setting `undefined` deletes the field. */
export type FieldEdit = { readonly path: readonly (string | number)[]; readonly value: unknown };

/** The text with the edits made in the object, or `undefined` when the text has no such object. */
export function editText(text: string, object: ObjectName, edits: readonly FieldEdit[]): string | undefined {
  const documents = parseAllDocuments(text);
  if ('empty' in documents) return undefined;
  const found = documents.find((document) => isObject(document, object));
  if (found === undefined) return undefined;
  for (const { path, value } of edits) {
    if (value === undefined) found.deleteIn(path);
    // A scalar goes into the node that is there, which keeps the comment beside it.
    else found.setIn(path, typeof value === 'object' ? found.createNode(value) : value);
  }
  return documents.map(String).join('');
}

function isObject(document: Document, { kind, name, namespace }: ObjectName): boolean {
  const matches = document.get('kind') === kind && document.getIn(['metadata', 'name']) === name;
  return matches && (namespace === undefined || document.getIn(['metadata', 'namespace']) === namespace);
}

/** Edits the object where it stands under `directory`; gives the file's path below it. */
export async function editManifest(directory: string, object: ObjectName, edits: readonly FieldEdit[]): Promise<string> {
  for (const path of await manifestFiles(directory)) {
    const edited = editText(await readFile(path, 'utf8'), object, edits);
    if (edited === undefined) continue;
    await writeFile(`${path}.next`, edited);
    await rename(`${path}.next`, path);
    return relative(directory, path);
  }
  throw new Error(
    `${directory} has no ${object.kind} ${object.namespace === undefined ? '' : `${object.namespace}/`}${object.name}`,
  );
}
