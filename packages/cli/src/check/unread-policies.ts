/** Policies that keep everybody out where a control plane starts and cannot read them: found before it does. Pure. */
import type { Problem } from '@clearmesh/shared/document/problem';
import { ok, unknown, warning } from './result.ts';
import type { Result } from './result.ts';

const name = 'policies can be read';
/** Objects that are spelt out; the rest is named. */
const maxTold = 5;

/** @param problems of objects of the cluster */
export function unreadPolicies(problems: readonly Problem[] | 'forbidden'): Result {
  if (problems === 'forbidden') return unknown(name, 'policies may not be read by you');
  const objects = Map.groupBy(
    problems.filter(({ effect }) => effect !== undefined),
    ({ object }) => object,
  );
  if (objects.size === 0) return ok(name, 'none refuses more than it says');
  const told = [...objects.values()].slice(0, maxTold).flatMap(([first]) => (first === undefined ? [] : [telling(first)]));
  const more = objects.size > maxTold ? ' Then ask again for the others.' : '';
  return warning(
    name,
    `a control plane that starts (installation, upgrade, restart) cannot read ${[...objects.keys()].join(', ')}, and refuses what they are for`,
    `Mend or delete them before. ${told.join(' ')}${more}`,
  );
}

function telling({ object, field, value, message, remedy, effect = '' }: Problem): string {
  const found = value === '' ? '' : ` (found ${value})`;
  return `${object}: ${[field, message].filter((part) => part !== '').join(' ')}${found}. ${remedy} Else: ${effect}`;
}
