/**
 * Everything that can keep a request from its answer, and what each means: one table, read by every stage.
 *
 * F1  `processed` tells what the application may have done: `no` may be sent again with any method, `unknown` only
 *     where doing it twice does no harm (l7-and-resilience B3, C1).
 * F2  Only what an endpoint did counts against it: a refusal of ours never moves breaker, outlier or EWMA (B1).
 * F3  `outcome` is what the caller may rely on (C10): only `not-dispatched` may be repeated blindly.
 */

/** Istio's response flags, and ours: NWP PDP IDK LATE. */
export type ResponseFlag =
  | '-'
  | 'UH'
  | 'UF'
  | 'UO'
  | 'NR'
  | 'URX'
  | 'DC'
  | 'UT'
  | 'UR'
  | 'UC'
  | 'DI'
  | 'FI'
  | 'RL'
  | 'UAEX'
  | 'RLSE'
  | 'SI'
  | 'DPE'
  | 'UPE'
  | 'OM'
  | 'RBAC'
  | 'JWT'
  | 'NWP'
  | 'PDP'
  | 'IDK'
  | 'LATE'
  | 'DRAIN';

export type Outcome = 'not-dispatched' | 'unknown' | 'completed';

export type FailureRow = {
  readonly status: number;
  /** gRPC status code (grpc.io statuscodes). */
  readonly grpcStatus: number;
  readonly flag: ResponseFlag;
  readonly processed: 'no' | 'unknown' | 'yes';
  readonly outcome: Outcome;
  readonly breaker: 'failure' | 'neutral';
  readonly outlier: 'local' | 'answer' | 'neutral';
  /** What the answer says in `x-mesh-denied` or the problem's title. */
  readonly title: string;
};

export type FailureKind =
  | 'bad-request'
  | 'body-too-large'
  | 'headers-too-large'
  | 'draining'
  | 'overloaded'
  | 'late'
  | 'jwt-invalid'
  | 'jwks-unavailable'
  | 'policy-denied'
  | 'opa-denied'
  | 'pdp-unavailable'
  | 'rate-limited'
  | 'rate-limit-unavailable'
  | 'idempotency-key-missing'
  | 'idempotency-key-invalid'
  | 'idempotency-mismatch'
  | 'idempotency-in-flight'
  | 'idempotency-unknown'
  | 'idempotency-unavailable'
  | 'fault-injected'
  | 'no-route'
  | 'invalid-backend'
  | 'no-healthy-endpoint'
  | 'breaker-open'
  | 'overflow'
  | 'connect-failure'
  | 'endpoint-refused'
  | 'refused-stream'
  | 'reset-before-request'
  | 'reset'
  | 'per-try-timeout'
  | 'request-timeout'
  | 'idle-timeout'
  | 'bad-answer'
  | 'reset-in-answer'
  | 'caller-gone';

const refusal = { processed: 'no', outcome: 'not-dispatched', breaker: 'neutral', outlier: 'neutral' } as const;
const dispatched = { processed: 'unknown', outcome: 'unknown', breaker: 'failure', outlier: 'local' } as const;

/** By kind. */
export const failureTable: Readonly<Record<FailureKind, FailureRow>> = {
  // accept
  'bad-request': { ...refusal, status: 400, grpcStatus: 3, flag: 'DPE', title: 'malformed request' },
  'body-too-large': { ...refusal, status: 413, grpcStatus: 8, flag: 'DPE', title: 'request body too large' },
  'headers-too-large': { ...refusal, status: 431, grpcStatus: 8, flag: 'DPE', title: 'request headers too large' },
  draining: { ...refusal, status: 503, grpcStatus: 14, flag: 'DRAIN', title: 'the waypoint is shutting down' },
  overloaded: { ...refusal, status: 503, grpcStatus: 14, flag: 'OM', title: 'the waypoint is overloaded' },
  late: { ...refusal, status: 504, grpcStatus: 4, flag: 'LATE', title: 'too little left of the caller’s deadline' },
  // authorise
  'jwt-invalid': { ...refusal, status: 401, grpcStatus: 16, flag: 'JWT', title: 'token not accepted' },
  'jwks-unavailable': { ...refusal, status: 503, grpcStatus: 14, flag: 'JWT', title: 'keys of the issuer cannot be had' },
  'policy-denied': { ...refusal, status: 403, grpcStatus: 7, flag: 'RBAC', title: 'denied by policy' },
  'opa-denied': { ...refusal, status: 403, grpcStatus: 7, flag: 'UAEX', title: 'denied by OPA' },
  'pdp-unavailable': { ...refusal, status: 503, grpcStatus: 14, flag: 'PDP', title: 'no policy decision' },
  // shape
  'rate-limited': { ...refusal, status: 429, grpcStatus: 8, flag: 'RL', title: 'rate limit reached' },
  'rate-limit-unavailable': { ...refusal, status: 503, grpcStatus: 14, flag: 'RLSE', title: 'no rate limit decision' },
  'idempotency-key-missing': { ...refusal, status: 400, grpcStatus: 3, flag: 'IDK', title: 'idempotency key missing' },
  'idempotency-key-invalid': { ...refusal, status: 400, grpcStatus: 3, flag: 'IDK', title: 'idempotency key not usable' },
  'idempotency-mismatch': {
    ...refusal,
    status: 422,
    grpcStatus: 3,
    flag: 'IDK',
    title: 'idempotency key used for another request',
  },
  'idempotency-in-flight': {
    ...refusal,
    status: 409,
    grpcStatus: 10,
    flag: 'IDK',
    title: 'a request with this key is under way',
  },
  'idempotency-unknown': {
    ...refusal,
    outcome: 'unknown',
    status: 409,
    grpcStatus: 10,
    flag: 'IDK',
    title: 'the outcome of the request with this key is unknown',
  },
  'idempotency-unavailable': {
    ...refusal,
    status: 503,
    grpcStatus: 14,
    flag: 'IDK',
    title: 'the store of idempotency keys cannot be had',
  },
  'fault-injected': { ...refusal, status: 503, grpcStatus: 14, flag: 'FI', title: 'injected fault' },
  // route
  'no-route': { ...refusal, status: 404, grpcStatus: 12, flag: 'NR', title: 'no route matches' },
  'invalid-backend': { ...refusal, status: 500, grpcStatus: 13, flag: 'NR', title: 'the route’s backend is not usable' },
  // forward: before anything was sent
  'no-healthy-endpoint': { ...refusal, status: 503, grpcStatus: 14, flag: 'UH', title: 'no healthy endpoint' },
  'breaker-open': { ...refusal, status: 503, grpcStatus: 14, flag: 'UO', title: 'circuit breaker open' },
  overflow: { ...refusal, status: 503, grpcStatus: 14, flag: 'UO', title: 'too many requests to this backend' },
  'connect-failure': {
    ...refusal,
    breaker: 'failure',
    outlier: 'local',
    status: 503,
    grpcStatus: 14,
    flag: 'UF',
    title: 'no connection to an endpoint',
  },
  /** The endpoint's ztunnel refused: its policy, or its identity is not the one expected. */
  'endpoint-refused': {
    ...refusal,
    status: 503,
    grpcStatus: 14,
    flag: 'UF',
    title: 'the endpoint’s proxy refused the connection',
  },
  'refused-stream': {
    ...refusal,
    breaker: 'failure',
    outlier: 'local',
    status: 503,
    grpcStatus: 14,
    flag: 'UR',
    title: 'the endpoint did not take the request',
  },
  'reset-before-request': {
    ...refusal,
    breaker: 'failure',
    outlier: 'local',
    status: 503,
    grpcStatus: 14,
    flag: 'UC',
    title: 'the connection ended before the request was sent',
  },
  // forward: after bytes were sent
  reset: { ...dispatched, status: 503, grpcStatus: 14, flag: 'UC', title: 'the endpoint’s connection ended without an answer' },
  'per-try-timeout': { ...dispatched, status: 504, grpcStatus: 4, flag: 'UT', title: 'the endpoint did not answer in time' },
  'request-timeout': { ...dispatched, status: 504, grpcStatus: 4, flag: 'UT', title: 'no answer within the request’s time' },
  'idle-timeout': { ...dispatched, status: 504, grpcStatus: 4, flag: 'SI', title: 'nothing moved for too long' },
  'bad-answer': { ...dispatched, status: 502, grpcStatus: 13, flag: 'UPE', title: 'the endpoint’s answer is malformed' },
  /** After the head of the answer was forwarded; the status is history. */
  'reset-in-answer': { ...dispatched, status: 502, grpcStatus: 14, flag: 'UC', title: 'the answer broke off' },
  'caller-gone': {
    status: 499,
    grpcStatus: 1,
    flag: 'DC',
    processed: 'unknown',
    outcome: 'unknown',
    breaker: 'neutral',
    outlier: 'neutral',
    title: 'the caller gave up',
  },
};

/** One failure, with what is particular about it. */
export type Failure = {
  readonly kind: FailureKind;
  /** One sentence for the log and the answer: what failed, which value, what to do. No secrets, no payload. */
  readonly detail: string;
  /** Which object decided, such as `OpaPolicy ledger/four-eyes`. */
  readonly policy?: string;
  /** Index or name of the rule that decided. */
  readonly rule?: string;
  /** Replaces the table's status where a policy says so. */
  readonly status?: number;
  /** Replaces the table's gRPC status likewise. */
  readonly grpcStatus?: number;
  /** Further headers of the answer. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Replaces the problem document where a policy says so. */
  readonly body?: string;
};
