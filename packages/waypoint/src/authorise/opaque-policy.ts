/**
 * AuthorizationPolicies for connections that carry no HTTP (control-plane-contract section 4.5): what layer 4 can see of
 * them. As at a node proxy, a rule that cannot be evaluated never allows, and a DENY never denies less than written.
 */
import type { L7AuthorizationPolicy, L7Condition, L7Operation, L7Rule, L7Source } from '@clearmesh/shared/model/l7/authorization';

const httpSource: ReadonlySet<string> = new Set<keyof L7Source>(['requestPrincipals', 'notRequestPrincipals']);
const httpOperation: ReadonlySet<string> = new Set<keyof L7Operation>([
  'hosts',
  'notHosts',
  'methods',
  'notMethods',
  'paths',
  'notPaths',
]);

export function withoutHttp(policy: L7AuthorizationPolicy): L7AuthorizationPolicy {
  if (policy.action === 'ALLOW') return { ...policy, rules: policy.rules.map((rule) => (readsHttp(rule) ? never : rule)) };
  return { ...policy, rules: policy.rules.map(widened) };
}

/** Stands in a rule's place, so that the others keep their index: an application's server name is never seen. */
const never: L7Rule = { when: [{ key: 'connection.sni', values: ['*'] }] };

function readsHttp({ from = [], to = [], when = [] }: L7Rule): boolean {
  return (
    from.some((source) => Object.keys(source).some((field) => httpSource.has(field))) ||
    to.some((operation) => Object.keys(operation).some((field) => httpOperation.has(field))) ||
    when.some(isHttpCondition)
  );
}

/** An entry of which nothing is left matches whatever layer 4 sees, and with it its whole list. */
function widened({ from, to, when }: L7Rule): L7Rule {
  const sources = from?.map((source) => without(source, httpSource));
  const operations = to?.map((operation) => without(operation, httpOperation));
  const conditions = when?.filter((condition) => !isHttpCondition(condition));
  return {
    ...(sources === undefined || sources.some(isEmpty) ? {} : { from: sources }),
    ...(operations === undefined || operations.some(isEmpty) ? {} : { to: operations }),
    ...(conditions === undefined || conditions.length === 0 ? {} : { when: conditions }),
  };
}

function without<Entry extends object>(entry: Entry, fields: ReadonlySet<string>): Entry {
  return Object.fromEntries(Object.entries(entry).filter(([field]) => !fields.has(field))) as Entry;
}

function isEmpty(entry: object): boolean {
  return Object.keys(entry).length === 0;
}

function isHttpCondition({ key }: L7Condition): boolean {
  return key.startsWith('request.');
}
