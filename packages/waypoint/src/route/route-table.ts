/**
 * Where a request goes. Pure: (facts, configuration, draws of chance) to value.
 *
 * Enters: facts of a request to a service, its path normalised. Leaves: a backend with everything that the route changes
 * on the way, an answer that sends the caller elsewhere, or a refusal.
 *
 *   port of the service ─▶ host ─▶ exact path | prefix | pattern ─▶ rule ─▶ backend by weight
 *
 * R1  The CONNECT authority has chosen the service; Host only filters routes that name hostnames.
 * R2  The first candidate that matches decides, in the Gateway API's order, across all routes of the service.
 * R3  Routes that exist but do not match refuse (404): a request never slips past them to the service.
 * R4  Only safe methods are mirrored: a copy of a payment may be a second payment.
 * R5  What a configuration says that cannot be carried out is found when it arrives, never by a request.
 */
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { BoundService } from '@clearmesh/shared/model/l7/configuration';
import type { HeaderChanges, HttpRoute, ServiceBackend } from '@clearmesh/shared/model/l7/route';
import type { Failure } from '../exchange/failure.ts';
import { OrderedCandidates, candidatesOf } from './candidate.ts';
import type { Candidate } from './candidate.ts';
import { changeHeaders } from './header-changes.ts';
import type { ChangeableHeaders } from './header-changes.ts';
import { compareHostnames, hostMatches, hostOf } from './hostname.ts';
import type { ReportProblem } from './match.ts';
import { changePath } from './path-change.ts';
import { locationOf } from './redirect.ts';
import type { RouteDecision, RoutedRequest } from './route-decision.ts';
import type { BackendPlan, FilterPlan, Mirror, RulePlan } from './rule-plan.ts';

export type RouteCompilation =
  | { readonly kind: 'compiled'; readonly table: RouteTable }
  /** Names route, rule, value and what is wrong with it. */
  | { readonly kind: 'rejected'; readonly reason: string };

/** Problems named in a rejection; more are counted. */
const maxProblems = 5;

/** Routes of one service, ready to be asked. */
export function compileRoutes(service: BoundService): RouteCompilation {
  const problems: string[] = [];
  const table = new RouteTable(service, (problem) => problems.push(problem));
  if (problems.length === 0) return { kind: 'compiled', table };
  const more = problems.length > maxProblems ? `; and ${problems.length - maxProblems} more` : '';
  return { kind: 'rejected', reason: `service ${service.key}: ${problems.slice(0, maxProblems).join('; ')}${more}` };
}

/** Candidates for one hostname, or for every host. */
type HostGroup = { readonly hostname: string | undefined; readonly candidates: OrderedCandidates };

const noChanges: readonly HeaderChanges[] = [];
const noMirrors: readonly ServiceBackend[] = [];
const noTimeouts = {};
const directTemplate = '/*';

export class RouteTable {
  /** By port of the service. */
  readonly #ports = new Map<number, readonly HostGroup[]>();
  /** Of ports that nobody names: a port the configuration forgot gets no way past the routes (R3). */
  readonly #otherPorts: readonly HostGroup[];

  constructor(service: BoundService, report: ReportProblem) {
    const compiled = service.routes.map((route) => ({ route, candidates: candidatesOf(route, report) }));
    const named = [...service.ports.map(({ port }) => port), ...service.routes.flatMap(({ ports }) => ports)];
    for (const port of new Set(named)) {
      const routes = compiled.filter(({ route: { ports } }) => ports.length === 0 || ports.includes(port));
      this.#ports.set(port, hostGroups(routes));
    }
    this.#otherPorts = hostGroups(compiled.filter(({ route: { ports } }) => ports.length === 0));
  }

  /** @param random drawn from only where a backend or a mirror is a matter of chance */
  route(request: RoutedRequest, random: Pick<Random, 'unit'>): RouteDecision {
    const groups = this.#ports.get(request.called.port) ?? this.#otherPorts;
    if (groups.length === 0) return direct(request);
    const candidate = find(groups, request);
    if (candidate === undefined) return { kind: 'refused', failure: noRoute(request) };
    const { plan } = candidate;
    if (plan.filters.redirect !== undefined) return redirect(candidate, plan.filters, request);
    const backend = choose(plan, random);
    if (typeof backend?.to !== 'object')
      return { kind: 'refused', failure: invalidBackend(plan, backend), template: candidate.template };
    if (backend.filters.redirect !== undefined) return redirect(candidate, backend.filters, request);
    return forward(candidate, backend.to, backend.filters, request, random);
  }
}

function hostGroups(
  routes: readonly { readonly route: HttpRoute; readonly candidates: readonly Candidate[] }[],
): readonly HostGroup[] {
  const byHost = new Map<string | undefined, Candidate[]>();
  for (const { route, candidates } of routes) {
    const hostnames = route.hostnames.length === 0 ? [undefined] : new Set(route.hostnames.map(hostOf));
    for (const hostname of hostnames) byHost.set(hostname, [...(byHost.get(hostname) ?? []), ...candidates]);
  }
  return [...byHost]
    .map(([hostname, candidates]) => ({ hostname, candidates: new OrderedCandidates(candidates) }))
    .sort((a, b) => compareHostnames(a.hostname, b.hostname));
}

function find(groups: readonly HostGroup[], request: RoutedRequest): Candidate | undefined {
  let host: string | undefined;
  for (const { hostname, candidates } of groups) {
    if (hostname !== undefined && !hostMatches(hostname, (host ??= hostOf(request.authority)))) continue;
    const candidate = candidates.find(request);
    if (candidate !== undefined) return candidate;
  }
  return undefined;
}

/** Without a route the service itself is what was meant. */
function direct({ called, path, authority }: RoutedRequest): RouteDecision {
  return {
    kind: 'forward',
    route: undefined,
    rule: undefined,
    template: directTemplate,
    backend: { service: called.key, port: called.port },
    path,
    authority,
    requestHeaders: noChanges,
    responseHeaders: noChanges,
    mirrors: noMirrors,
    timeouts: noTimeouts,
    retry: undefined,
  };
}

function forward(
  { match, plan, template }: Candidate,
  backend: ServiceBackend,
  { requestHeaders, responseHeaders, hostname, path, mirrors }: FilterPlan,
  request: RoutedRequest,
  random: Pick<Random, 'unit'>,
): RouteDecision {
  return {
    kind: 'forward',
    route: plan.route,
    rule: plan.rule,
    template,
    backend,
    path: path === undefined ? request.path : changePath(path, request.path, match.path),
    authority: hostname ?? request.authority,
    requestHeaders,
    responseHeaders,
    mirrors: mirrors.length === 0 || !isSafe(request.method) ? noMirrors : draw(mirrors, random),
    timeouts: plan.timeouts,
    retry: plan.retry,
  };
}

function redirect({ match, plan, template }: Candidate, filters: FilterPlan, request: RoutedRequest): RouteDecision {
  const { redirect: to, responseHeaders } = filters;
  if (to === undefined) return { kind: 'refused', failure: invalidBackend(plan, undefined), template };
  const headers: ChangeableHeaders = {};
  changeHeaders(headers, responseHeaders);
  headers['location'] = locationOf(to, request, match.path);
  return { kind: 'redirect', route: plan.route, rule: plan.rule, template, answer: { status: to.status, headers, body: '' } };
}

/** Each backend has its weight's share; `undefined` where no weight is left. */
function choose({ backends, totalWeight }: RulePlan, random: Pick<Random, 'unit'>): BackendPlan | undefined {
  if (backends.length <= 1) return backends[0];
  let left = random.unit() * totalWeight;
  for (const backend of backends) {
    left -= backend.weight;
    if (left < 0) return backend;
  }
  return backends.at(-1);
}

function draw(mirrors: readonly Mirror[], random: Pick<Random, 'unit'>): readonly ServiceBackend[] {
  return mirrors.filter(({ percent }) => percent >= 100 || random.unit() * 100 < percent).map(({ backend }) => backend);
}

/** RFC 9110 section 9.2.1, and QUERY. */
function isSafe(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS' || method === 'TRACE' || method === 'QUERY';
}

/** Without the path, which may hold an account number. */
function noRoute({ called, method }: RoutedRequest): Failure {
  const detail = `no rule of the routes for ${called.hostname}:${called.port} matches this ${method}: add one, or check path and headers`;
  return { kind: 'no-route', detail };
}

function invalidBackend({ route, rule, backends }: RulePlan, chosen: BackendPlan | undefined): Failure {
  const why =
    typeof chosen?.to === 'string' ? chosen.to : backends.length === 0 ? 'no backend has a weight' : 'it names no backend';
  return { kind: 'invalid-backend', detail: `${route}, rule ${rule}: ${why}`, policy: route, rule };
}
