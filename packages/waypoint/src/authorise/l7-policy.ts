/**
 * The layer-7 verdict (l7-and-resilience B1, control-plane-contract section 4.5). Policies are compiled once per
 * configuration; a request is then decided purely, in two steps, since OPA is asked between them.
 *
 *   1 dry-run DENY matches → noted      4 no enforced ALLOW → allow
 *   2 DENY matches → deny               5 ALLOW matches → allow
 *     (OPA)                             6 else deny
 *   3 dry-run ALLOW matches → noted
 */
import type { L7AuthorizationPolicy } from '@clearmesh/shared/model/l7/authorization';
import type { ObjectKey } from '@clearmesh/shared/model/l7/configuration';
import type { L7Facts } from './l7-facts.ts';
import { compileRule, ruleMatches } from './l7-rule.ts';
import type { CompiledRule } from './l7-rule.ts';

export type L7Policies = {
  readonly deny: readonly CompiledPolicy[];
  readonly allow: readonly CompiledPolicy[];
  readonly dryRunDeny: readonly CompiledPolicy[];
  readonly dryRunAllow: readonly CompiledPolicy[];
};

type CompiledPolicy = { readonly key: ObjectKey; readonly rules: readonly CompiledRule[] };

/** The policy and the index of its rule that decided. */
export type Deciding = { readonly policy: ObjectKey; readonly rule: number };

/** What a dry-run policy would have done; logged and counted, never enforced. */
export type PolicyNote =
  | ({ readonly outcome: 'would-deny' | 'would-allow' } & Deciding)
  /** All ALLOW policies are dry-run and none matches: enforcing them would deny. */
  | { readonly outcome: 'no-allow-would-match' };

export type AllowVerdict =
  | { readonly kind: 'allow'; readonly by?: Deciding; readonly notes: readonly PolicyNote[] }
  | { readonly kind: 'no-allow-matched'; readonly notes: readonly PolicyNote[] };

const noNotes: readonly PolicyNote[] = [];
const allowed: AllowVerdict = { kind: 'allow', notes: noNotes };
const notAllowed: AllowVerdict = { kind: 'no-allow-matched', notes: noNotes };

export function compilePolicies(policies: readonly L7AuthorizationPolicy[]): L7Policies {
  const of = (action: 'ALLOW' | 'DENY', dryRun: boolean): readonly CompiledPolicy[] =>
    policies.filter((policy) => policy.action === action && policy.dryRun === dryRun).map(compilePolicy);
  return {
    deny: of('DENY', false),
    allow: of('ALLOW', false),
    dryRunDeny: of('DENY', true),
    dryRunAllow: of('ALLOW', true),
  };
}

/** Step 2: the first DENY that matches. */
export function denyingPolicy(policies: L7Policies, facts: L7Facts): Deciding | undefined {
  return firstMatch(policies.deny, facts);
}

/** Step 1. */
export function dryRunDenials(policies: L7Policies, facts: L7Facts): readonly PolicyNote[] {
  return policies.dryRunDeny.length === 0 ? noNotes : notesOf('would-deny', policies.dryRunDeny, facts);
}

/** Steps 3 to 6. */
export function allowVerdict(policies: L7Policies, facts: L7Facts): AllowVerdict {
  const { allow, dryRunAllow } = policies;
  const notes = dryRunAllow.length === 0 ? noNotes : notesOf('would-allow', dryRunAllow, facts);
  if (allow.length === 0) {
    if (dryRunAllow.length === 0) return allowed;
    return { kind: 'allow', notes: notes.length > 0 ? notes : [{ outcome: 'no-allow-would-match' }] };
  }
  const by = firstMatch(allow, facts);
  if (by !== undefined) return { kind: 'allow', by, notes };
  return notes.length === 0 ? notAllowed : { kind: 'no-allow-matched', notes };
}

function compilePolicy(policy: L7AuthorizationPolicy): CompiledPolicy {
  return { key: policy.key, rules: policy.rules.map((rule) => compileRule(rule, policy)) };
}

function firstMatch(policies: readonly CompiledPolicy[], facts: L7Facts): Deciding | undefined {
  for (const { key, rules } of policies) {
    const rule = matchingRule(rules, facts);
    if (rule !== -1) return { policy: key, rule };
  }
  return undefined;
}

function notesOf(
  outcome: 'would-deny' | 'would-allow',
  policies: readonly CompiledPolicy[],
  facts: L7Facts,
): readonly PolicyNote[] {
  const notes: PolicyNote[] = [];
  for (const { key, rules } of policies) {
    const rule = matchingRule(rules, facts);
    if (rule !== -1) notes.push({ outcome, policy: key, rule });
  }
  return notes;
}

/** Index of the first rule that matches, or -1. Rules are ORed; none at all never matches. */
function matchingRule(rules: readonly CompiledRule[], facts: L7Facts): number {
  for (let index = 0; index < rules.length; index += 1) {
    const rule = rules[index];
    if (rule !== undefined && ruleMatches(rule, facts)) return index;
  }
  return -1;
}
