/**
 * One rule of an AuthorizationPolicy as rules that layer 4 can evaluate (control-plane-contract section 2.5).
 *
 * P1  A rule that layer 4 cannot evaluate never allows: ALLOW drops it whole.
 * P2  A DENY never denies less than written: what layer 4 cannot see counts as matched (design decision 2).
 * P3  Clauses stand in this order: all `to`, all `from`, then one per `when`.
 */
import type { Clause, PolicyAction, Rule } from '@clearmesh/shared/model/authorization';
import { conditionEntry, isEmptyMatch, operationEntry, sourceEntry } from './policy-match.ts';
import type { RuleManifest } from '../manifest/authorization-policy.ts';
import type { DeriveOptions } from './options.ts';
import type { Entry } from './policy-match.ts';

export type ConvertedRule = {
  /** Usually one; several where an entry needs two matches at once; none for an ALLOW that is dropped. */
  readonly rules: readonly Rule[];
  /** Fields that layer 4 cannot see, without repetition. */
  readonly layer7: readonly string[];
};

export function convertRule(rule: RuleManifest, action: PolicyAction, namespace: string, options: DeriveOptions): ConvertedRule {
  const to = rule.to?.map(({ operation = {} }) => operationEntry(operation));
  const from = rule.from?.map(({ source = {} }) => sourceEntry(source, namespace, options));
  const when = (rule.when ?? []).map((condition) => [conditionEntry(condition)]);
  const layer7 = [...new Set([...(to ?? []), ...(from ?? []), ...when.flat()].flatMap((entry) => entry.layer7))];
  if (action === 'ALLOW' && layer7.length > 0) return { rules: [], layer7 };
  const widen = action === 'DENY' && options.l7Deny === 'deny-l4-match';
  const before = clause(to, widen);
  const after = when.flatMap((entries) => clause(entries, widen));
  const rules = alternatives(from, widen).map((clauses) => ({ clauses: [...before, ...clauses, ...after] }));
  return { rules, layer7 };
}

/** No clause when there are no entries, or when one of them matches whatever layer 4 sees. */
function clause(entries: readonly Entry[] | undefined, widen: boolean): readonly Clause[] {
  if (entries === undefined || entries.length === 0) return [];
  if (widen && entries.some(matchesAnything)) return [];
  return [{ matches: entries.map((entry) => entry.all[0]) }];
}

function matchesAnything(entry: Entry): boolean {
  return entry.layer7.length > 0 && entry.all.every(isEmptyMatch);
}

/** The `from` clause; an entry of two matches becomes a rule of its own, since matches of one clause are ORed. */
function alternatives(entries: readonly Entry[] | undefined, widen: boolean): readonly (readonly Clause[])[] {
  const double = entries?.filter((entry) => entry.all.length > 1) ?? [];
  if (double.length === 0 || (widen && entries?.some(matchesAnything) === true)) return [clause(entries, widen)];
  const single = entries?.filter((entry) => entry.all.length === 1) ?? [];
  const own = double.map((entry) => entry.all.map((match) => ({ matches: [match] })));
  return single.length === 0 ? own : [clause(single, widen), ...own];
}
