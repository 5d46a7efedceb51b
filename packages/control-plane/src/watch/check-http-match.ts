/** Matches of routes and policies that would never, or never certainly, match. */
import { compilePattern } from '@clearmesh/shared/route/pattern';
import type { HttpMatchManifest, NamedMatchManifest } from '../manifest/http-match.ts';
import type { FieldPath } from '@clearmesh/shared/document/field-path';
import type { Finding } from '@clearmesh/shared/document/finding';

export function checkHttpMatches(matches: readonly HttpMatchManifest[] = [], path: FieldPath): readonly Finding[] {
  return matches.flatMap((match, index) => [
    ...checkPath(match, [...path, index, 'path']),
    ...checkNamed(match.headers, [...path, index, 'headers']),
    ...checkNamed(match.queryParams, [...path, index, 'queryParams']),
  ]);
}

function checkPath({ path: match }: HttpMatchManifest, path: FieldPath): readonly Finding[] {
  if (match === undefined) return [];
  const { type = 'PathPrefix', value = '/' } = match;
  if (type === 'RegularExpression') return checkPattern(value, [...path, 'value']);
  if (value.startsWith('/')) return [];
  return [{ path: [...path, 'value'], value, message: 'must begin with /, or it never matches', remedy: `Write /${value}.` }];
}

/** Names are compared once: of two entries for one name only the first would count (Gateway API). */
export function checkNamed(matches: readonly NamedMatchManifest[] = [], path: FieldPath): readonly Finding[] {
  const seen = new Set<string>();
  return matches.flatMap((match, index): readonly Finding[] => {
    const at = [...path, index];
    const name = match.name.toLowerCase();
    if (seen.has(name)) {
      const remedy = 'Join the two, or write a match of its own for each.';
      return [{ path: [...at, 'name'], value: match.name, message: 'is named twice in one match', remedy }];
    }
    seen.add(name);
    return match.type === 'RegularExpression' ? checkPattern(match.value, [...at, 'value']) : [];
  });
}

/** By the compiler that waypoints use, so that what is accepted here is matched there. */
export function checkPattern(value: string, path: FieldPath): readonly Finding[] {
  const compilation = compilePattern(value);
  if (compilation.kind === 'compiled') return [];
  const message = `is no regular expression that a waypoint understands: ${compilation.reason}`;
  return [
    { path, value, message, remedy: 'Mend it; the whole text must match, and there are no look-arounds or back-references.' },
  ];
}
