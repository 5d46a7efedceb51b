/** Strings of policies: `*` presence, `x*` prefix, `*x` suffix, else exact (control-plane-contract section 2.5). */
import type { StringMatch } from '@clearmesh/shared/model/authorization';

export function parseText(text: string): StringMatch {
  if (text === '*') return { kind: 'presence' };
  if (text.startsWith('*')) return { kind: 'suffix', value: text.slice(1) };
  if (text.endsWith('*')) return { kind: 'prefix', value: text.slice(0, -1) };
  return { kind: 'exact', value: text };
}

/** A fact that is absent matches nothing, presence included. */
export function textMatches(match: StringMatch, text: string | undefined): boolean {
  if (text === undefined) return false;
  switch (match.kind) {
    case 'presence':
      return text !== '';
    case 'exact':
      return text === match.value;
    case 'prefix':
      return text.startsWith(match.value);
    case 'suffix':
      return text.endsWith(match.value);
  }
}
