/** An object with an error, in one line. */
import type { Problem } from '@clearmesh/shared/document/problem';

/** What stands in its place is told with its condition: only the control plane knows whether there was a good version. */
export function notInForce({ object, field, message, effect }: Problem): string {
  const told = `${object} is not in force as written: ${field} ${message}`;
  return effect === undefined ? told : `${told}. Unless the control plane still has a good version: ${effect}`;
}
