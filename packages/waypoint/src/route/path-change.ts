/** Rewritten paths of the filters URLRewrite and RequestRedirect (Gateway API, HTTPPathModifier). */
import type { PathChange } from '@clearmesh/shared/model/l7/route';
import type { CompiledPath, ReportProblem } from './match.ts';
import { normalisePath } from '@clearmesh/shared/route/normalise-path';

/** A whole path, or what takes the place of the prefix that matched: without its final slash, so "" removes it. */
export type CompiledPathChange = { readonly type: PathChange['type']; readonly value: string };

/** @param prefixes whether each match of the rule is by prefix: nothing else has a prefix to replace */
export function compilePathChange({ type, value }: PathChange, prefixes: boolean, report: ReportProblem): CompiledPathChange {
  if (type === 'ReplacePrefixMatch' && !prefixes) report('ReplacePrefixMatch needs matches by PathPrefix');
  const spelling = normalisePath(value.startsWith('/') ? value : `/${value}`);
  if (spelling.kind === 'refused' || spelling.query !== '' || value.includes('?')) {
    const why = spelling.kind === 'refused' ? spelling.reason : 'a query cannot be replaced';
    report(`${type} with ${JSON.stringify(value.slice(0, 200))}: ${why}`);
    return { type, value: '/' };
  }
  if (type === 'ReplaceFullPath') return { type, value: spelling.path };
  return { type, value: spelling.path.endsWith('/') ? spelling.path.slice(0, -1) : spelling.path };
}

/** @param matched the path of the match that won; without one, the prefix is `/` */
export function changePath(change: CompiledPathChange, path: string, matched: CompiledPath | undefined): string {
  if (change.type === 'ReplaceFullPath') return change.value;
  const prefix = matched?.value ?? '';
  // Prefixes match whole segments: what is left is nothing, or begins with a slash.
  const changed = change.value + path.slice(prefix.length);
  return changed === '' ? '/' : changed;
}
