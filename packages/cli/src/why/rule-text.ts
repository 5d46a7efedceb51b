/** A rule of an AuthorizationPolicy in one line, and where a rule of the proxies' stands in it. Pure. */
import { convertRule } from '@clearmesh/control-plane/derive/policy-rule';
import type { AuthorizationPolicyManifest, RuleManifest } from '@clearmesh/control-plane/manifest/authorization-policy';
import type { DeriveOptions } from '@clearmesh/control-plane/derive/options';

export function ruleText({ from = [], to = [], when = [] }: RuleManifest): string {
  const parts = [
    alternatives(
      'from',
      from.map(({ source = {} }) => source),
    ),
    alternatives(
      'to',
      to.map(({ operation = {} }) => operation),
    ),
    ...when.map(
      ({ key, values = [], notValues = [] }) =>
        `when ${key} ${[...values, ...notValues.map((value) => `not ${value}`)].join(', ')}`,
    ),
  ].filter((part) => part !== '');
  return parts.length === 0 ? 'anything' : parts.join(' ');
}

/** `spec.rules` as lines; a policy without rules says that nothing matches. */
export function rulesText({ spec }: AuthorizationPolicyManifest): readonly string[] {
  const rules = spec?.rules ?? [];
  return rules.length === 0 ? ['no rules: matches nothing'] : rules.map((rule, index) => `rule ${index}: ${ruleText(rule)}`);
}

/** Index in `spec.rules` of the proxies' rule of that index: one rule becomes several there, or none. */
export function writtenRule(policy: AuthorizationPolicyManifest, index: number, options: DeriveOptions): number {
  const { rules = [], action = 'ALLOW' } = policy.spec ?? {};
  if (action !== 'ALLOW' && action !== 'DENY') return index;
  let seen = 0;
  for (const [written, rule] of rules.entries()) {
    seen += convertRule(rule, action, policy.metadata.namespace, options).rules.length;
    if (index < seen) return written;
  }
  return index;
}

function alternatives(word: string, entries: readonly Readonly<Partial<Record<string, readonly string[]>>>[]): string {
  if (entries.length === 0) return '';
  const texts = entries.map((entry) =>
    Object.entries(entry)
      .map(([field, values = []]) => `${field} ${values.join(', ')}`)
      .join(' and '),
  );
  return `${word} ${texts.map((text) => (text === '' ? 'anything' : text)).join(' or ')}`;
}
