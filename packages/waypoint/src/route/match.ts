/** HttpMatch objects made ready for the request path: shared by routes, rate limits and faults. */
import type { HttpMatch, NamedMatch, PathMatch } from '@clearmesh/shared/model/l7/route';
import type { RequestFacts, RequestHeaders } from '../exchange/request-facts.ts';
import { normalisePath } from '@clearmesh/shared/route/normalise-path';
import { compilePattern } from '@clearmesh/shared/route/pattern';
import type { Pattern } from '@clearmesh/shared/route/pattern';
import { queryParameter } from './query-parameter.ts';

/** What a match looks at. */
export type MatchedRequest = Pick<RequestFacts, 'method' | 'path' | 'query' | 'headers'>;

export type CompiledPath = {
  readonly type: PathMatch['type'];
  /** As requests spell it; a prefix without its final slash, so "" is every path. */
  readonly value: string;
  /** A prefix with a slash behind it: `/foo` is no prefix of `/foobar`. */
  readonly slashed: string;
  readonly pattern: Pattern | undefined;
};

type CompiledNamed = { readonly name: string; readonly value: string; readonly pattern: Pattern | undefined };

export type CompiledMatch = {
  readonly path: CompiledPath | undefined;
  readonly method: string | undefined;
  readonly headers: readonly CompiledNamed[];
  readonly query: readonly CompiledNamed[];
};

/** Hears of what cannot be used; what is made in its place never matches. */
export type ReportProblem = (problem: string) => void;

export function compileMatch(match: HttpMatch, report: ReportProblem): CompiledMatch {
  return {
    path: match.path === undefined ? undefined : compilePath(match.path, report),
    method: match.method,
    headers: compileNamed(match.headers, (name) => name.toLowerCase(), report),
    query: compileNamed(match.query, (name) => name, report),
  };
}

/** ORed matches, for {@link matchesAny}. */
export function compileMatches(matches: readonly HttpMatch[], report: ReportProblem): readonly CompiledMatch[] {
  return matches.map((match) => compileMatch(match, report));
}

/** Whether one of them matches; of an empty list every request does. */
export function matchesAny(matches: readonly CompiledMatch[], request: MatchedRequest): boolean {
  if (matches.length === 0) return true;
  for (const match of matches) if (matchesOne(match, request)) return true;
  return false;
}

/** Cheap fields first. */
export function matchesOne({ path, method, headers, query }: CompiledMatch, request: MatchedRequest): boolean {
  if (method !== undefined && method !== request.method) return false;
  if (path !== undefined && !matchesPath(path, request.path)) return false;
  for (const header of headers) if (!holds(header, headerText(request.headers, header.name))) return false;
  for (const parameter of query) if (!holds(parameter, queryParameter(request.query, parameter.name))) return false;
  return true;
}

function matchesPath({ type, value, slashed, pattern }: CompiledPath, path: string): boolean {
  switch (type) {
    case 'Exact':
      return path === value;
    case 'PathPrefix':
      return path.startsWith(slashed) || path === value;
    case 'RegularExpression':
      return pattern?.test(path) === true;
  }
}

function holds({ value, pattern }: CompiledNamed, found: string | undefined): boolean {
  if (found === undefined) return false;
  return pattern === undefined ? found === value : pattern.test(found);
}

/** Several fields of one name are one value with commas (RFC 9110 section 5.3). */
function headerText(headers: RequestHeaders, name: string): string | undefined {
  const value = headers[name];
  if (typeof value === 'string') return value;
  // Names such as `constructor` find what every object has.
  return Array.isArray(value) ? value.join(', ') : undefined;
}

/** Matches nothing: what stands for a pattern that cannot be used. */
const never: Pattern = { source: '', test: () => false };

function compilePath({ type, value }: PathMatch, report: ReportProblem): CompiledPath {
  if (type === 'RegularExpression') return { type, value, slashed: value, pattern: usable(value, 'path', report) };
  const spelling = normalisePath(value);
  const usablePath = spelling.kind === 'path' && spelling.query === '' && !value.includes('?') && value.startsWith('/');
  if (!usablePath) {
    const why = spelling.kind === 'refused' ? spelling.reason : 'it must be a path alone';
    report(`path ${JSON.stringify(value.slice(0, 200))} can never match: ${why}`);
    return { type: 'RegularExpression', value, slashed: value, pattern: never };
  }
  if (type === 'Exact') return { type, value: spelling.path, slashed: spelling.path, pattern: undefined };
  const prefix = spelling.path.endsWith('/') ? spelling.path.slice(0, -1) : spelling.path;
  return { type, value: prefix, slashed: `${prefix}/`, pattern: undefined };
}

/** Of two entries for one name only the first counts (Gateway API). */
function compileNamed(
  matches: readonly NamedMatch[],
  spelt: (name: string) => string,
  report: ReportProblem,
): readonly CompiledNamed[] {
  const named = new Map<string, CompiledNamed>();
  for (const { type, name, value } of matches) {
    const key = spelt(name);
    if (named.has(key)) continue;
    const pattern = type === 'Exact' ? undefined : usable(value, JSON.stringify(name), report);
    named.set(key, { name: key, value, pattern });
  }
  return [...named.values()];
}

function usable(source: string, of: string, report: ReportProblem): Pattern {
  const compilation = compilePattern(source);
  if (compilation.kind === 'compiled') return compilation.pattern;
  report(`pattern ${JSON.stringify(source.slice(0, 200))} of ${of} ${compilation.reason}`);
  return never;
}
