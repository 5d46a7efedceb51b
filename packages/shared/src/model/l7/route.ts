/** HTTPRoute and GRPCRoute as a waypoint matches them (control-plane-contract section 4.3); gRPC matches are HTTP matches here. */
import type { ServiceKey } from '../names.ts';

export type HttpRoute = {
  /** `HTTPRoute ns/name` or `GRPCRoute ns/name`. */
  readonly key: string;
  /** Only these service ports; empty: every port. */
  readonly ports: readonly number[];
  /** Age decides between equal matches: the older route wins, then the name. Absent in a directory: name decides. */
  readonly createdAtMs?: number;
  /** Only these hosts; exact, or `*.suffix`. Empty: every host. */
  readonly hostnames: readonly string[];
  readonly rules: readonly RouteRule[];
};

export type RouteRule = {
  readonly name?: string;
  /** ORed; empty matches everything, after all others. */
  readonly matches: readonly HttpMatch[];
  readonly filters: readonly RouteFilter[];
  readonly backends: readonly RouteBackend[];
  readonly timeouts: { readonly requestMs?: number; readonly backendRequestMs?: number };
  readonly retry?: RouteRetry;
};

export type PathMatch = { readonly type: 'Exact' | 'PathPrefix' | 'RegularExpression'; readonly value: string };
export type NamedMatch = { readonly type: 'Exact' | 'RegularExpression'; readonly name: string; readonly value: string };

/** Present fields are ANDed. Header names are lower case. */
export type HttpMatch = {
  readonly path?: PathMatch;
  readonly method?: string;
  readonly headers: readonly NamedMatch[];
  readonly query: readonly NamedMatch[];
};

export type HeaderChanges = {
  readonly set: readonly (readonly [name: string, value: string])[];
  readonly add: readonly (readonly [name: string, value: string])[];
  readonly remove: readonly string[];
};

export type PathChange =
  | { readonly type: 'ReplaceFullPath'; readonly value: string }
  | { readonly type: 'ReplacePrefixMatch'; readonly value: string };

export type RouteFilter =
  | ({ readonly kind: 'request-headers' } & HeaderChanges)
  | ({ readonly kind: 'response-headers' } & HeaderChanges)
  | {
      readonly kind: 'redirect';
      readonly scheme?: 'http' | 'https';
      readonly hostname?: string;
      readonly port?: number;
      readonly path?: PathChange;
      /** @default 302 */
      readonly status: 301 | 302 | 303 | 307 | 308;
    }
  | { readonly kind: 'rewrite'; readonly hostname?: string; readonly path?: PathChange }
  | { readonly kind: 'mirror'; readonly backend: ServiceBackend; readonly percent: number };

export type ServiceBackend = { readonly service: ServiceKey; readonly port: number };

export type RouteBackend =
  | ({ readonly kind: 'service'; readonly weight: number; readonly filters: readonly RouteFilter[] } & ServiceBackend)
  /** Takes its share of requests and answers them with 500 (Gateway API). */
  | { readonly kind: 'invalid'; readonly weight: number; readonly reason: string };

/** HTTPRoute.retry. It never loosens what is safe: an unknown outcome is retried for idempotent methods only. */
export type RouteRetry = { readonly attempts?: number; readonly codes: readonly number[]; readonly backoffMs?: number };
