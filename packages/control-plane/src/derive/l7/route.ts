/** HTTPRoute and GRPCRoute to the routes of one service (control-plane-contract section 4.3). */
import type { HttpMatch, HttpRoute, RouteBackend, RouteRetry, RouteRule } from '@clearmesh/shared/model/l7/route';
import { durationMs } from '../../manifest/duration.ts';
import { isServiceParent } from '../../manifest/route.ts';
import { byAge, createdAtMs } from './age.ts';
import { resolveBackend } from './backend.ts';
import { deriveGrpcMatch, deriveHttpMatch } from './http-match.ts';
import { objectKey } from './object-key.ts';
import { deriveFilters } from './route-filter.ts';
import type { Collections } from '../../manifest/collections.ts';
import type { HttpRouteRuleManifest } from '../../manifest/http-route.ts';
import type { BackendObjectManifest, BackendRefManifest, FilterManifest, RouteManifest } from '../../manifest/route.ts';
import type { DeriveOptions } from '../options.ts';
import type { ResolvedBackend, ServiceIndex } from './backend.ts';
import type { Destination } from './destination.ts';

type ParsedRoute = { readonly manifest: RouteManifest; readonly rules: readonly RouteRule[]; readonly key: string };

/** All routes, oldest first, each derived once however many services it is for. */
export class Routes {
  readonly #byParent = new Map<string, ParsedRoute[]>();

  constructor(collections: Collections, services: ServiceIndex, options: DeriveOptions) {
    const resolver = (route: RouteManifest) => (reference: BackendObjectManifest) =>
      resolveBackend(reference, route.metadata.namespace, services, options);
    const parsed = [
      ...collections.httpRoutes.map((route): ParsedRoute => {
        const rules = (route.spec.rules ?? []).map((rule) => httpRule(rule, resolver(route)));
        return { manifest: route, rules, key: objectKey('HTTPRoute', route) };
      }),
      ...collections.grpcRoutes.map((route): ParsedRoute => {
        const rules = (route.spec.rules ?? []).map((rule) =>
          ruleOf(rule, (rule.matches ?? []).map(deriveGrpcMatch), resolver(route)),
        );
        return { manifest: route, rules, key: objectKey('GRPCRoute', route) };
      }),
    ].sort((a, b) => byAge(a.manifest, b.manifest));
    for (const route of parsed) {
      for (const parent of new Set(serviceParents(route.manifest).map(({ key }) => key))) {
        const list = this.#byParent.get(parent) ?? [];
        list.push(route);
        this.#byParent.set(parent, list);
      }
    }
  }

  /** Of the service's own namespace, or the waypoint's; those of its consumers do not count. */
  of({ kind, metadata }: Destination, waypointNamespace: string): readonly HttpRoute[] {
    const { name, namespace } = metadata;
    const parent = `${kind} ${namespace}/${name}`;
    return (this.#byParent.get(parent) ?? []).flatMap(({ manifest, rules, key }): readonly HttpRoute[] => {
      if (manifest.metadata.namespace !== namespace && manifest.metadata.namespace !== waypointNamespace) return [];
      const ports = serviceParents(manifest).flatMap((each) => (each.key === parent ? [each.port] : []));
      const at = createdAtMs(manifest);
      return [
        {
          key,
          // One parentRef without a port is for all ports, whatever others narrow.
          ports: ports.includes(undefined) ? [] : [...new Set(ports.flatMap((port) => port ?? []))],
          ...(at === undefined ? {} : { createdAtMs: at }),
          hostnames: (manifest.spec.hostnames ?? []).map((host) => host.toLowerCase()),
          rules,
        },
      ];
    });
  }
}

/** What a route names as its parents before waypoints, by `Kind namespace/name`, as often as it names them. */
export function serviceParents(route: RouteManifest): readonly { readonly key: string; readonly port: number | undefined }[] {
  return (route.spec.parentRefs ?? []).filter(isServiceParent).map(({ kind, namespace, name, port }) => ({
    key: `${kind} ${namespace ?? route.metadata.namespace}/${name}`,
    port,
  }));
}

type Resolve = (reference: BackendObjectManifest) => ResolvedBackend;

function httpRule(rule: HttpRouteRuleManifest, resolve: Resolve): RouteRule {
  const { timeouts = {}, retry } = rule;
  const requestMs = positiveMs(timeouts.request);
  const backendRequestMs = positiveMs(timeouts.backendRequest);
  return {
    ...ruleOf(rule, (rule.matches ?? []).map(deriveHttpMatch), resolve),
    timeouts: {
      ...(requestMs === undefined ? {} : { requestMs }),
      ...(backendRequestMs === undefined ? {} : { backendRequestMs }),
    },
    ...(retry === undefined ? {} : { retry: retryOf(retry) }),
  };
}

type CommonRule = {
  readonly name?: string;
  readonly filters?: readonly FilterManifest[];
  readonly backendRefs?: readonly BackendRefManifest[];
};

function ruleOf(rule: CommonRule, matches: readonly HttpMatch[], resolve: Resolve): RouteRule {
  return {
    ...(rule.name === undefined ? {} : { name: rule.name }),
    matches,
    filters: deriveFilters(rule.filters, resolve),
    backends: (rule.backendRefs ?? []).map((backend) => backendOf(backend, resolve)),
    timeouts: {},
  };
}

function backendOf(reference: BackendRefManifest, resolve: Resolve): RouteBackend {
  const { weight = 1 } = reference;
  const resolved = resolve(reference);
  if (resolved.kind === 'invalid') return { kind: 'invalid', weight, reason: resolved.message };
  return { kind: 'service', weight, filters: deriveFilters(reference.filters, resolve), ...resolved.backend };
}

function retryOf({ attempts, codes = [], backoff }: NonNullable<HttpRouteRuleManifest['retry']>): RouteRetry {
  return {
    ...(attempts === undefined ? {} : { attempts }),
    codes,
    ...(backoff === undefined ? {} : { backoffMs: durationMs(backoff) }),
  };
}

/** `0s` means no timeout (Gateway API). */
function positiveMs(text: string | undefined): number | undefined {
  const ms = text === undefined ? 0 : durationMs(text);
  return ms === 0 ? undefined : ms;
}
