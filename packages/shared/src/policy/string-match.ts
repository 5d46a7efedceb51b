/** Strings of policies: `*` presence, `x*` prefix, `*x` suffix, else exact (control-plane-contract section 2.5). */
import type { StringMatch } from '../model/authorization.ts';

export function parseStringMatch(text: string): StringMatch {
  if (text === '*') return { kind: 'presence' };
  if (text.endsWith('*')) return { kind: 'prefix', value: text.slice(0, -1) };
  if (text.startsWith('*')) return { kind: 'suffix', value: text.slice(1) };
  return { kind: 'exact', value: text };
}

/** Compares the part of `text` from `start` to `end` in place. */
export function stringMatches(match: StringMatch, text: string, start = 0, end: number = text.length): boolean {
  switch (match.kind) {
    case 'presence':
      return end > start;
    case 'exact':
      return match.value.length === end - start && text.startsWith(match.value, start);
    case 'prefix':
      return match.value.length <= end - start && text.startsWith(match.value, start);
    case 'suffix':
      return match.value.length <= end - start && text.startsWith(match.value, end - match.value.length);
  }
}
