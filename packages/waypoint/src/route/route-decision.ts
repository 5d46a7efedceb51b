/** What routing decides of a request. */
import type { HeaderChanges, RouteRetry, RouteRule, ServiceBackend } from '@clearmesh/shared/model/l7/route';
import type { RequestFacts } from '../exchange/request-facts.ts';
import type { LocalAnswer, Refused } from '../exchange/stage.ts';

/** What routing looks at. */
export type RoutedRequest = Pick<RequestFacts, 'method' | 'path' | 'query' | 'headers' | 'authority' | 'called'>;

/** Which rule decided. */
export type DecidedBy = {
  /** `HTTPRoute ns/name`; absent where the service has no route. */
  readonly route: string | undefined;
  /** Name of the rule, or its index. */
  readonly rule: string | undefined;
  /** `http.route`: the path of the match, such as `/entries/*`; never anything of the request. */
  readonly template: string;
};

export type ForwardDecision = DecidedBy & {
  readonly kind: 'forward';
  readonly backend: ServiceBackend;
  /** As it is sent on, without query. */
  readonly path: string;
  readonly authority: string;
  /** For `changeHeaders`, in this order. */
  readonly requestHeaders: readonly HeaderChanges[];
  readonly responseHeaders: readonly HeaderChanges[];
  /** Drawn already; copies whose answers nobody waits for. */
  readonly mirrors: readonly ServiceBackend[];
  readonly timeouts: RouteRule['timeouts'];
  readonly retry: RouteRetry | undefined;
};

export type RouteDecision =
  | ForwardDecision
  | (DecidedBy & { readonly kind: 'redirect'; readonly answer: LocalAnswer })
  /** `no-route` or `invalid-backend`. */
  | (Refused & { readonly template?: string });
