/**
 * The layer-4 verdict (l4-contract section 9). Pure, so that the same function decides again when policy changes.
 * The caller passes the policies that apply: those of the namespace, the GLOBAL ones, and those the workload lists.
 *
 *   1 dry-run DENY matches → noted        4 no enforced ALLOW → allow
 *   2 DENY matches → deny                 5 ALLOW matches → allow
 *   3 dry-run ALLOW matches → noted       6 else deny
 */
import type { Authorization, PolicyAction } from '../model/authorization.ts';
import type { PolicyKey } from '../model/names.ts';
import type { PolicyFacts } from './facts.ts';
import { matchingRule } from './match.ts';

export type { PolicyFacts } from './facts.ts';

/** What a dry-run policy would have done; logged, never enforced. */
export type DryRunNote =
  | { readonly outcome: 'would-deny' | 'would-allow'; readonly policy: PolicyKey; readonly rule: number }
  /** All ALLOW policies are dry-run and none matches: enforcing them would deny. */
  | { readonly outcome: 'no-allow-would-match' };

export type Verdict =
  /** `allowedBy` and its `rule` are absent where no ALLOW policy applies. */
  | { readonly kind: 'allow'; readonly allowedBy?: PolicyKey; readonly rule?: number; readonly dryRun: readonly DryRunNote[] }
  /** `policy` and the index of its `rule` are present for an explicit deny. */
  | {
      readonly kind: 'deny';
      readonly reason: 'explicit-deny' | 'no-allow-matched';
      readonly policy?: PolicyKey;
      readonly rule?: number;
      readonly dryRun: readonly DryRunNote[];
    };

const noNotes: readonly DryRunNote[] = [];
const allowed: Verdict = { kind: 'allow', dryRun: noNotes };
const notAllowed: Verdict = { kind: 'deny', reason: 'no-allow-matched', dryRun: noNotes };

export function evaluate(policies: readonly Authorization[], facts: PolicyFacts): Verdict {
  const deniedDryRun = noteMatches(policies, 'DENY', facts, noNotes);
  for (const policy of policies) {
    if (policy.action !== 'DENY' || policy.dryRun) continue;
    const rule = matchingRule(policy, facts);
    if (rule !== -1) return { kind: 'deny', reason: 'explicit-deny', policy: policy.key, rule, dryRun: deniedDryRun };
  }
  const noted = noteMatches(policies, 'ALLOW', facts, deniedDryRun);
  let enforced = false;
  for (const policy of policies) {
    if (policy.action !== 'ALLOW' || policy.dryRun) continue;
    enforced = true;
    const rule = matchingRule(policy, facts);
    if (rule !== -1) return { kind: 'allow', allowedBy: policy.key, rule, dryRun: noted };
  }
  if (enforced) return noted === noNotes ? notAllowed : { kind: 'deny', reason: 'no-allow-matched', dryRun: noted };
  const notes = noteUnmatched(policies, noted);
  return notes === noNotes ? allowed : { kind: 'allow', dryRun: notes };
}

/** Notes for the dry-run policies of one action that match; `notes` itself when there are none. */
function noteMatches(
  policies: readonly Authorization[],
  action: PolicyAction,
  facts: PolicyFacts,
  notes: readonly DryRunNote[],
): readonly DryRunNote[] {
  const outcome = action === 'DENY' ? 'would-deny' : 'would-allow';
  let added: DryRunNote[] | undefined;
  for (const policy of policies) {
    if (!policy.dryRun || policy.action !== action) continue;
    const rule = matchingRule(policy, facts);
    if (rule === -1) continue;
    added ??= [...notes];
    added.push({ outcome, policy: policy.key, rule });
  }
  return added ?? notes;
}

function noteUnmatched(policies: readonly Authorization[], notes: readonly DryRunNote[]): readonly DryRunNote[] {
  if (notes.some((note) => note.outcome === 'would-allow')) return notes;
  for (const policy of policies) if (policy.action === 'ALLOW') return [...notes, { outcome: 'no-allow-would-match' }];
  return notes;
}
