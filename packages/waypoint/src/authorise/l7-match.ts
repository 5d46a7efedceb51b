/**
 * What sources, operations and conditions are compiled to: checks on the facts of one request.
 * What cannot be evaluated (an unknown key, a block that is no block) fails closed: it never lets an ALLOW match, and
 * never keeps a DENY from matching.
 */
import type { L7AuthorizationPolicy } from '@clearmesh/shared/model/l7/authorization';
import type { L7Facts } from './l7-facts.ts';

export type Check = (facts: L7Facts) => boolean;

/** Of the policy whose rule is compiled. */
export type RuleContext = Pick<L7AuthorizationPolicy, 'action' | 'namespace'>;

const always: Check = () => true;
const never: Check = () => false;

/** The verdict on what cannot be evaluated. */
export function unusable({ action }: RuleContext): Check {
  return action === 'DENY' ? always : never;
}

/** How one field reads its values, and compares them with a request. */
export type Field<Matcher> = {
  /** `undefined` for text that means nothing here. */
  readonly parse: (text: string) => Matcher | undefined;
  readonly matches: (matcher: Matcher, facts: L7Facts) => boolean;
};

/** Checks for one field: any of `values`, none of `notValues`; absent and empty lists ask for nothing. */
export function fieldChecks<Matcher>(
  values: readonly string[] | undefined,
  notValues: readonly string[] | undefined,
  field: Field<Matcher>,
  context: RuleContext,
): readonly Check[] {
  const checks: Check[] = [];
  if (values !== undefined && values.length > 0) checks.push(anyOf(values, field, context));
  if (notValues !== undefined && notValues.length > 0) checks.push(noneOf(notValues, field, context));
  return checks;
}

/** All hold; none at all holds. */
export function allHold(checks: readonly Check[], facts: L7Facts): boolean {
  for (const check of checks) if (!check(facts)) return false;
  return true;
}

function anyOf<Matcher>(values: readonly string[], field: Field<Matcher>, context: RuleContext): Check {
  const matchers = parseAll(values, field);
  if (matchers.length < values.length && context.action === 'DENY') return always;
  return holdsFor(matchers, field.matches);
}

function noneOf<Matcher>(values: readonly string[], field: Field<Matcher>, context: RuleContext): Check {
  const matchers = parseAll(values, field);
  if (matchers.length < values.length && context.action === 'ALLOW') return never;
  const any = holdsFor(matchers, field.matches);
  return (facts) => !any(facts);
}

function parseAll<Matcher>(values: readonly string[], { parse }: Field<Matcher>): readonly Matcher[] {
  return values.map(parse).filter((matcher) => matcher !== undefined);
}

function holdsFor<Matcher>(matchers: readonly Matcher[], matches: Field<Matcher>['matches']): Check {
  const [only] = matchers;
  if (only === undefined) return never;
  if (matchers.length === 1) return (facts) => matches(only, facts);
  return (facts) => {
    for (const matcher of matchers) if (matches(matcher, facts)) return true;
    return false;
  };
}
