/** The layer-4 verdict, against one written with array methods and a parsed identity. */
import { evaluate } from '@clearmesh/shared/policy/evaluate';
import type { Authorization, StringMatch } from '@clearmesh/shared/model/authorization';
import { authorization, identity, ip, match, socketAddress } from '@clearmesh/shared/testing/builders';
import type { FunctionCase } from './function-case.ts';

const facts = {
  sourceIp: ip('10.0.0.1'),
  identity: identity('payments', 'payments'),
  destination: socketAddress('10.0.0.2:8080'),
};

/** ALLOW policies of a namespace, of which the last one lets the caller in. */
function allowing(count: number): readonly Authorization[] {
  return Array.from({ length: count }, (_, index) => {
    const account = index === count - 1 ? 'payments' : `caller-${index}`;
    const principals = [{ kind: 'exact' as const, value: `cluster.local/ns/payments/sa/${account}` }];
    const matches = [match({ principals, destinationPorts: [8080] })];
    return authorization({ name: `allow-${index}`, action: 'ALLOW', rules: [{ clauses: [{ matches }] }] });
  });
}

/** STRICT, and a namespace that is kept out. */
const denying = [
  authorization({
    name: 'strict',
    action: 'DENY',
    rules: [{ clauses: [{ matches: [match({ notPrincipals: [{ kind: 'presence' }] })] }] }],
  }),
  authorization({
    name: 'no-tests',
    action: 'DENY',
    rules: [{ clauses: [{ matches: [match({ namespaces: [{ kind: 'prefix', value: 'test-' }] })] }] }],
  }),
];

export function policyCases(): readonly FunctionCase[] {
  return [1, 100].map((count) => {
    const policies = [...denying, ...allowing(count)];
    const ours = (): string => evaluate(policies, facts).kind;
    const naive = (): string => (naiveAllows(policies) ? 'allow' : 'deny');
    const title = `policy: verdict of 2 DENY and ${count} ALLOW, ns`;
    return { name: `verdictOf${count}`, title, ours, naive, agree: () => ours() === 'allow' && naive() === 'allow' };
  });
}

function naiveAllows(policies: readonly Authorization[]): boolean {
  const matching = (action: string): readonly Authorization[] =>
    policies.filter((policy) => policy.action === action && policy.rules.some(({ clauses }) => clauses.every(naiveClause)));
  if (matching('DENY').length > 0) return false;
  return policies.every(({ action }) => action !== 'ALLOW') || matching('ALLOW').length > 0;
}

function naiveClause({ matches }: Authorization['rules'][number]['clauses'][number]): boolean {
  const [, namespace = ''] = /^spiffe:\/\/[^/]+\/ns\/([^/]+)\/sa\//.exec(facts.identity) ?? [];
  const principal = facts.identity.replace('spiffe://', '');
  const holds = (list: readonly StringMatch[], text: string): boolean =>
    list.length === 0 || list.some((each) => fits(each, text));
  return matches.some(
    ({ principals, notPrincipals, namespaces, destinationPorts }) =>
      holds(principals, principal) &&
      !notPrincipals.some((each) => fits(each, principal)) &&
      holds(namespaces, namespace) &&
      (destinationPorts.length === 0 || destinationPorts.includes(facts.destination.port)),
  );
}

function fits(match: StringMatch, text: string): boolean {
  if (match.kind === 'presence') return text !== '';
  if (match.kind === 'exact') return match.value === text;
  return match.kind === 'prefix' ? text.startsWith(match.value) : text.endsWith(match.value);
}
