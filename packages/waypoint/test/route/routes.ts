/** Routes, services and requests for the tests of this stage: say what matters. */
import type { BoundService } from '@clearmesh/shared/model/l7/configuration';
import type { HttpMatch, HttpRoute, PathMatch, RouteBackend, RouteRule } from '@clearmesh/shared/model/l7/route';
import { serviceKey } from '@clearmesh/shared/model/names';
import { socketAddress } from '@clearmesh/shared/testing/builders';
import { compileRoutes } from '../../src/route/route-table.ts';
import type { RouteTable } from '../../src/route/route-table.ts';
import type { RoutedRequest } from '../../src/route/route-decision.ts';
import { boundService } from '../bound-service.ts';

export const exact = (value: string): PathMatch => ({ type: 'Exact', value });
export const prefix = (value: string): PathMatch => ({ type: 'PathPrefix', value });
export const pattern = (value: string): PathMatch => ({ type: 'RegularExpression', value });

export function httpMatch(spec: Partial<HttpMatch> = {}): HttpMatch {
  return { headers: [], query: [], ...spec };
}

export function backend(name: string, spec: { readonly weight?: number } = {}): RouteBackend {
  return { kind: 'service', service: serviceKey('bank', name), port: 80, weight: 1, filters: [], ...spec };
}

export function routeRule(spec: Partial<RouteRule> = {}): RouteRule {
  return { matches: [], filters: [], backends: [backend('default')], timeouts: {}, ...spec };
}

export function httpRoute(spec: Partial<HttpRoute> = {}): HttpRoute {
  return { key: 'HTTPRoute bank/route', ports: [], hostnames: [], rules: [], ...spec };
}

export function routed(spec: Partial<RoutedRequest> & { readonly port?: number } = {}): RoutedRequest {
  const { port = 8080, ...rest } = spec;
  return {
    method: 'GET',
    path: '/',
    query: '',
    headers: {},
    authority: 'ledger',
    called: {
      key: serviceKey('bank', 'ledger.bank.svc.cluster.local'),
      hostname: 'ledger.bank.svc.cluster.local',
      namespace: 'bank',
      port,
      address: socketAddress('10.96.0.1:80'),
    },
    ...rest,
  };
}

export function tableOf(routes: readonly HttpRoute[], service: Partial<BoundService> = {}): RouteTable {
  const compilation = compileRoutes(boundService({ routes, ...service }));
  if (compilation.kind === 'rejected') throw new Error(compilation.reason);
  return compilation.table;
}
