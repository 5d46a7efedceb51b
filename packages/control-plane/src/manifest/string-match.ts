/** Strings of policies: `*` presence, `x*` prefix, `*x` suffix, else exact (control-plane-contract section 2.5). */
import type { StringMatch } from '@clearmesh/shared/model/authorization';

export function parseStringMatch(text: string): StringMatch {
  if (text === '*') return { kind: 'presence' };
  if (text.endsWith('*')) return { kind: 'prefix', value: text.slice(0, -1) };
  if (text.startsWith('*')) return { kind: 'suffix', value: text.slice(1) };
  return { kind: 'exact', value: text };
}
