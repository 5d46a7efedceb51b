/** Matches of all routes in the order in which they count (Gateway API, HTTPRouteRule; control-plane-contract section 4.3). */
import type { HttpMatch, HttpRoute } from '@clearmesh/shared/model/l7/route';
import { compileMatch, matchesOne } from './match.ts';
import type { CompiledMatch, CompiledPath, MatchedRequest, ReportProblem } from './match.ts';
import { planRule } from './rule-plan.ts';
import type { RulePlan } from './rule-plan.ts';

/** One match of one rule; the first one that matches decides. */
export type Candidate = {
  readonly match: CompiledMatch;
  readonly plan: RulePlan;
  readonly template: string;
  /** After all others: the rule has no match at all. */
  readonly matchless: boolean;
  readonly createdAtMs: number;
};

const everything: HttpMatch = { headers: [], query: [] };

/** Candidates of one route, rules and matches in their order. */
export function candidatesOf(route: HttpRoute, report: ReportProblem): readonly Candidate[] {
  return route.rules.flatMap((rule, index) => {
    const reportOf: ReportProblem = (problem) => report(`${route.key}, rule ${rule.name ?? index}: ${problem}`);
    const plan = planRule(rule, route.key, index, reportOf);
    const matchless = rule.matches.length === 0;
    return (matchless ? [everything] : rule.matches).map((written) => {
      const match = compileMatch(written, reportOf);
      return { match, plan, template: templateOf(match.path), matchless, createdAtMs: route.createdAtMs ?? Infinity };
    });
  });
}

/** Sorting is stable: rules of one route, and matches of one rule, stay in the order in which they are written. */
function inOrder(candidates: readonly Candidate[]): readonly Candidate[] {
  return [...candidates].sort(compare);
}

/** Candidates with exact paths are found by their path; all other paths are looked at one by one. */
export class OrderedCandidates {
  readonly #exact = new Map<string, Candidate[]>();
  readonly #others: readonly Candidate[];

  constructor(candidates: readonly Candidate[]) {
    const ordered = inOrder(candidates);
    for (const candidate of ordered) {
      const { path } = candidate.match;
      if (path?.type !== 'Exact') continue;
      const same = this.#exact.get(path.value);
      if (same === undefined) this.#exact.set(path.value, [candidate]);
      else same.push(candidate);
    }
    this.#others = ordered.filter(({ match }) => match.path?.type !== 'Exact');
  }

  find(request: MatchedRequest): Candidate | undefined {
    return first(this.#exact.get(request.path), request) ?? first(this.#others, request);
  }
}

function first(candidates: readonly Candidate[] | undefined, request: MatchedRequest): Candidate | undefined {
  if (candidates === undefined) return undefined;
  for (const candidate of candidates) if (matchesOne(candidate.match, request)) return candidate;
  return undefined;
}

function compare(a: Candidate, b: Candidate): number {
  return (
    Number(a.matchless) - Number(b.matchless) ||
    pathRank(b.match.path) - pathRank(a.match.path) ||
    (b.match.path?.value.length ?? 0) - (a.match.path?.value.length ?? 0) ||
    Number(b.match.method !== undefined) - Number(a.match.method !== undefined) ||
    b.match.headers.length - a.match.headers.length ||
    b.match.query.length - a.match.query.length ||
    older(a, b) ||
    alphabetical(a.plan.route, b.plan.route)
  );
}

function pathRank(path: CompiledPath | undefined): number {
  return path === undefined ? 0 : { Exact: 3, PathPrefix: 2, RegularExpression: 1 }[path.type];
}

/** Infinity minus itself is no number. */
function older(a: Candidate, b: Candidate): number {
  return a.createdAtMs === b.createdAtMs ? 0 : a.createdAtMs - b.createdAtMs;
}

function alphabetical(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

function templateOf(path: CompiledPath | undefined): string {
  if (path === undefined) return '/*';
  return path.type === 'PathPrefix' ? `${path.value}/*` : path.value;
}
