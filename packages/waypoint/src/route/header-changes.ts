/** Header changes of routes: checked once, applied to the record of fields that goes on. */
import type { HeaderChanges } from '@clearmesh/shared/model/l7/route';
import type { ReportProblem } from './match.ts';

/** Fields on their way, names in lower case; a list of values is sent as several fields. */
export type ChangeableHeaders = Record<string, string | readonly string[]>;

/** RFC 9110 section 7.6.1, and what frames a message or names its target. */
const untouchable: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** What the mesh says of itself, a route must not say. */
const reserved: readonly string[] = ['x-mesh-', 'x-clearmesh-'];

/** RFC 9110 section 5.1: a token. */
const fieldName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** RFC 9110 section 5.5, without the obsolete characters above ASCII. */
const fieldValue = /^(?:[!-~](?:[\t -~]*[!-~])?)?$/;

/** Names in lower case; entries that may not be are reported and left out. */
export function compileHeaderChanges({ set, add, remove }: HeaderChanges, report: ReportProblem): HeaderChanges {
  const pairs = (changes: HeaderChanges['set']): HeaderChanges['set'] =>
    changes
      .map(([name, value]) => [name.toLowerCase(), value] as const)
      .filter(([name, value]) => isChangeable(name, report) && isValue(name, value, report));
  return {
    set: pairs(set),
    add: pairs(add),
    remove: remove.map((name) => name.toLowerCase()).filter((name) => isChangeable(name, report)),
  };
}

/** Changes `headers` in place, one list after the other; in each removes first, then sets, then adds. */
export function changeHeaders(headers: ChangeableHeaders, changes: readonly HeaderChanges[]): void {
  for (const { set, add, remove } of changes) {
    for (const name of remove) delete headers[name];
    for (const [name, value] of set) headers[name] = value;
    for (const [name, value] of add) {
      const had = Object.hasOwn(headers, name) ? headers[name] : undefined;
      headers[name] = had === undefined ? value : typeof had === 'string' ? [had, value] : [...had, value];
    }
  }
}

function isChangeable(name: string, report: ReportProblem): boolean {
  const shown = JSON.stringify(name.slice(0, 200));
  if (name === 'host') report(`header ${shown} is not changed this way; use a hostname rewrite`);
  else if (!fieldName.test(name) || name === '__proto__') report(`header ${shown} is no name of a field`);
  else if (untouchable.has(name)) report(`header ${shown} concerns one hop or the framing, and must not be changed`);
  else if (reserved.some((prefix) => name.startsWith(prefix))) report(`header ${shown} is what the mesh says of itself`);
  else return true;
  return false;
}

function isValue(name: string, value: string, report: ReportProblem): boolean {
  if (fieldValue.test(value)) return true;
  report(`the value for header ${name} has characters that a field may not have, or spaces at its ends`);
  return false;
}
