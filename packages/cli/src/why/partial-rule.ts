/**
 * A rule of an AuthorizationPolicy where not all of a request is known. Pure.
 *
 *   certain   what matches it, matches the rule whatever the unknown parts are
 *   possible  what does not match it, cannot match the rule
 */
import type { L7Condition, L7Operation, L7Rule, L7Source } from '@clearmesh/shared/model/l7/authorization';
import type { AskedRequest } from './question.ts';

/** Names of fields, and beginnings of condition keys. */
export type Unknown = { readonly fields: ReadonlySet<string>; readonly keys: readonly string[] };

/** Whose token, which host and which headers a request has, is the caller's choice. */
export function unknownOf({ method, path }: AskedRequest): Unknown {
  return {
    fields: new Set([
      'requestPrincipals',
      'notRequestPrincipals',
      'hosts',
      'notHosts',
      ...(method === undefined ? ['methods', 'notMethods'] : []),
      ...(path === undefined ? ['paths', 'notPaths'] : []),
    ]),
    keys: ['request.'],
  };
}

/** In place of a rule, so that the others keep their index: an application's server name is never seen. */
const never: L7Rule = { when: [{ key: 'connection.sni', values: ['*'] }] };

export function certainRule(rule: L7Rule, unknown: Unknown): L7Rule {
  const { from, to, when } = rule;
  const sources = from?.filter((source) => isKnown(source, unknown));
  const operations = to?.filter((operation) => isKnown(operation, unknown));
  if (isEmptied(from, sources) || isEmptied(to, operations) || when?.some((each) => isUnknown(each, unknown)) === true)
    return never;
  return parts(sources, operations, when);
}

export function possibleRule({ from, to, when }: L7Rule, unknown: Unknown): L7Rule {
  const conditions = when?.filter((each) => !isUnknown(each, unknown));
  return parts(narrowed(from, unknown), narrowed(to, unknown), conditions?.length === 0 ? undefined : conditions);
}

/** What is left of each entry; an entry of which nothing is left may match anything, and with it its list. */
function narrowed<Entry extends L7Source | L7Operation>(
  entries: readonly Entry[] | undefined,
  unknown: Unknown,
): Entry[] | undefined {
  const left = entries?.map((entry) => withoutUnknown(entry, unknown));
  const free = left?.some((entry, index) => Object.keys(entry).length === 0 && !isKnown(entries?.[index] ?? {}, unknown));
  return free === true ? undefined : left;
}

function withoutUnknown<Entry extends object>(entry: Entry, { fields }: Unknown): Entry {
  return Object.fromEntries(Object.entries(entry).filter(([field]) => !fields.has(field))) as Entry;
}

function isKnown(entry: object, { fields }: Unknown): boolean {
  return !Object.keys(entry).some((field) => fields.has(field));
}

function isUnknown({ key }: L7Condition, { keys }: Unknown): boolean {
  return keys.some((beginning) => key.startsWith(beginning));
}

function isEmptied(before: readonly unknown[] | undefined, after: readonly unknown[] | undefined): boolean {
  return (before?.length ?? 0) > 0 && after?.length === 0;
}

function parts(
  from: readonly L7Source[] | undefined,
  to: readonly L7Operation[] | undefined,
  when: readonly L7Condition[] | undefined,
): L7Rule {
  return {
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(when === undefined ? {} : { when }),
  };
}
