/** `clearmesh get`: objects of a running mesh, and what the control plane says of them. */
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { nearestName } from '@clearmesh/shared/document/nearest-name';
import type { StatusReport } from '@clearmesh/control-plane/report/status-report';
import type { Problem } from '@clearmesh/shared/document/problem';
import { findKindName, kindNames } from '../get/object-kind.ts';
import { readStatus } from '../get/status-source.ts';
import { selectObjects, statusRows } from '../get/status-rows.ts';
import type { StatusQuery } from '../get/status-rows.ts';
import { renderStatus } from '../get/status-table.ts';
import type { Console } from '../terminal/console.ts';

export type GetOptions = {
  readonly kind: string;
  readonly name?: string;
  readonly namespace?: string;
  readonly directory?: string;
  readonly statusFile?: string;
  readonly output: 'text' | 'json';
};

/** Exit status 0, or 1 when no object is meant. */
export async function runGet(options: GetOptions, { console }: { readonly console: Console }): Promise<number> {
  const { name, namespace, directory, statusFile } = options;
  const kind = kindOf(options.kind);
  const query: StatusQuery = {
    ...(kind === undefined ? {} : { kind }),
    ...(name === undefined ? {} : { name }),
    ...(namespace === undefined ? {} : { namespace }),
  };
  const place = {
    ...(directory === undefined ? {} : { directory }),
    ...(statusFile === undefined ? {} : { file: statusFile }),
  };
  const report = await readStatus(place);
  const objects = selectObjects(report.objects, query);
  if (options.output === 'json') console.print(`${JSON.stringify({ ...report, objects }, undefined, 2)}\n`);
  else print({ ...report, objects }, describe(query), console);
  return Object.keys(objects).length > 0 ? 0 : 1;
}

/** `undefined`: every kind. */
function kindOf(text: string): string | undefined {
  if (text.toLowerCase() === 'all') return undefined;
  const kind = findKindName(text);
  if (kind !== undefined) return kind;
  const near = nearestName(text, kindNames);
  throw new MeshError('MESH-CONFIG-003', {
    message: `${text} is no kind`,
    hint:
      near === undefined
        ? `Use all, or one of ${kindNames.join(', ')}.`
        : `Did you mean ${near}? Kinds: ${kindNames.join(', ')}.`,
  });
}

function print({ serving, objects, rejections }: StatusReport, what: string, console: Console): void {
  const rows = statusRows(objects);
  if (rows.length === 0) console.say(`there is no ${what}`);
  else console.print(`${renderStatus(rows, console.width(), console.style).join('\n')}\n`);
  if (rejections.length === 0) return;
  const effect = serving === 'none' ? 'nothing is served yet' : 'the last good manifests keep serving';
  console.print(`\n${console.style.bad(`The manifests are refused; ${effect}.`)}\n${rejections.map(explain).join('\n')}\n`);
}

function explain({ file, line, column, object, field, value, message, remedy }: Problem): string {
  const subject = [object, field].filter((part) => part !== '').map((part) => `${part}: `);
  const found = value === '' ? '' : ` (found ${value})`;
  return `${file}:${line}:${column}: ${subject.join('')}${message}${found}\n  → ${remedy}`;
}

function describe({ kind = 'object', namespace, name }: StatusQuery): string {
  const where = namespace === undefined ? '' : ` in namespace ${namespace}`;
  return `${kind}${name === undefined ? '' : ` ${name}`}${where}`;
}
