/** Rules of routes with their filters sorted out: what a request gets once its rule and its backend are known. */
import type { HeaderChanges, RouteBackend, RouteFilter, RouteRule, ServiceBackend } from '@clearmesh/shared/model/l7/route';
import { compileHeaderChanges } from './header-changes.ts';
import type { ReportProblem } from './match.ts';
import { compilePathChange } from './path-change.ts';
import type { CompiledPathChange } from './path-change.ts';
import { compileRedirect } from './redirect.ts';
import type { CompiledRedirect } from './redirect.ts';

export type Mirror = { readonly backend: ServiceBackend; readonly percent: number };

/** Filters of a rule and of one of its backends, in this order. */
export type FilterPlan = {
  readonly requestHeaders: readonly HeaderChanges[];
  readonly responseHeaders: readonly HeaderChanges[];
  readonly hostname: string | undefined;
  readonly path: CompiledPathChange | undefined;
  readonly mirrors: readonly Mirror[];
  readonly redirect: CompiledRedirect | undefined;
};

export type BackendPlan = {
  readonly weight: number;
  /** Why there is none to send to, or where to send. */
  readonly to: ServiceBackend | string;
  readonly filters: FilterPlan;
};

export type RulePlan = {
  readonly route: string;
  readonly rule: string;
  readonly timeouts: RouteRule['timeouts'];
  readonly retry: RouteRule['retry'];
  /** Before any backend is chosen: a redirect needs none. */
  readonly filters: FilterPlan;
  /** Without those of weight 0. */
  readonly backends: readonly BackendPlan[];
  readonly totalWeight: number;
};

/** @param index of the rule in its route: its name where it has none */
export function planRule(rule: RouteRule, route: string, index: number, report: ReportProblem): RulePlan {
  const prefixes = rule.matches.every(({ path }) => path === undefined || path.type === 'PathPrefix');
  const backends = rule.backends.map((backend) => planBackend(rule.filters, backend, prefixes, report));
  const weighted = backends.filter(({ weight }) => weight > 0);
  return {
    route,
    rule: rule.name ?? String(index),
    timeouts: rule.timeouts,
    retry: rule.retry,
    filters: planFilters(rule.filters, prefixes, report),
    backends: weighted,
    totalWeight: weighted.reduce((sum, { weight }) => sum + weight, 0),
  };
}

function planBackend(
  filters: readonly RouteFilter[],
  backend: RouteBackend,
  prefixes: boolean,
  report: ReportProblem,
): BackendPlan {
  const { weight } = backend;
  if (backend.kind === 'invalid') return { weight, to: backend.reason, filters: planFilters([], prefixes, report) };
  const { service, port } = backend;
  // What is wrong with the rule's own filters is said once, with the rule.
  planFilters(backend.filters, prefixes, report);
  return { weight, to: { service, port }, filters: planFilters([...filters, ...backend.filters], prefixes, ignore) };
}

function planFilters(filters: readonly RouteFilter[], prefixes: boolean, report: ReportProblem): FilterPlan {
  const requestHeaders: HeaderChanges[] = [];
  const responseHeaders: HeaderChanges[] = [];
  const mirrors: Mirror[] = [];
  let hostname: string | undefined;
  let path: CompiledPathChange | undefined;
  let redirect: CompiledRedirect | undefined;
  for (const filter of filters)
    switch (filter.kind) {
      case 'request-headers':
        requestHeaders.push(compileHeaderChanges(filter, report));
        break;
      case 'response-headers':
        responseHeaders.push(compileHeaderChanges(filter, report));
        break;
      case 'rewrite':
        hostname = filter.hostname === undefined ? hostname : checkedHostname(filter.hostname, report);
        path = filter.path === undefined ? path : compilePathChange(filter.path, prefixes, report);
        break;
      case 'mirror':
        if (filter.percent > 0) mirrors.push({ backend: filter.backend, percent: filter.percent });
        break;
      case 'redirect':
        redirect = compileRedirect(filter, prefixes, report);
        break;
    }
  return { requestHeaders, responseHeaders, hostname, path, mirrors, redirect };
}

function checkedHostname(hostname: string, report: ReportProblem): string {
  if (!/^[A-Za-z0-9._-]{1,253}$/.test(hostname))
    report(`rewrite to hostname ${JSON.stringify(hostname.slice(0, 200))}, which is none`);
  return hostname.toLowerCase();
}

function ignore(): void {}
