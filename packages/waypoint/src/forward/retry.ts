/**
 * Whether an attempt that ended is made again (l7-and-resilience B3, C1): a pure decision.
 *
 * R1  What certainly did not reach the application may be sent again with any method.
 * R2  Everything else only where doing it twice does no harm: methods that HTTP calls idempotent, gRPC methods the policy
 *     names, and requests whose key the backend deduplicates by. No condition and no route loosens this.
 * R3  The waypoint's own refusals are never tried again, and nothing is once the head of an answer went on to the caller.
 * R4  An endpoint that says it limits (`x-envoy-ratelimited`), or that it wants no retry, is obeyed.
 */
import { failureTable } from '../exchange/failure.ts';
import type { FailureKind, ResponseFlag } from '../exchange/failure.ts';
import type { RetryCondition } from '@clearmesh/shared/model/l7/resilience';
import type { ForwardPolicy, RetryRules } from './forward-policy.ts';
import { backoffMs, grpcPushback, retryAfterMs, spreadMs } from './retry-wait.ts';
import type { UpstreamHeaders } from './upstream.ts';

/** How an attempt ended, as far as retrying goes. */
export type AttemptEnd =
  | { readonly kind: 'failed'; readonly failure: FailureKind }
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers: UpstreamHeaders;
      /** From the head; absent while only trailers will tell. */
      readonly grpcStatus: number | undefined;
    };

export type RetryFacts = {
  /** Attempts made, this one included. */
  readonly attempts: number;
  /** R2, from {@link mayRepeat}. */
  readonly repeatable: boolean;
  /** Whether the request's body is still whole. */
  readonly replayable: boolean;
  /** Until the deadline, milliseconds; Infinity without one. */
  readonly remainingMs: number;
  /** What the backend's retry budget, and its limit of concurrent retries, allow. */
  readonly budget: boolean;
  readonly slot: boolean;
  /** Since the epoch, milliseconds. */
  readonly nowMs: number;
  /** Uniform in [0, 1). */
  readonly unit: number;
};

export type StopReason =
  /** Nothing of the policy asks for a retry. */
  'not-retriable' | 'unsafe' | 'body' | 'attempts' | 'rate-limited' | 'pushback' | 'deadline' | 'budget' | 'overflow';

export type RetryDecision =
  | { readonly kind: 'retry'; readonly afterMs: number; readonly condition: RetryCondition }
  | { readonly kind: 'stop'; readonly reason: StopReason; readonly flag: ResponseFlag | undefined };

/** RFC 9110 section 9.2.2, and QUERY. */
const idempotentMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY', 'PUT', 'DELETE']);

/** R2. @param path of a gRPC request: its method */
export function mayRepeat(
  request: { readonly method: string; readonly path: string; readonly headers: UpstreamHeaders; readonly grpc: boolean },
  policy: Pick<ForwardPolicy, 'grpcIdempotent' | 'nativeKeyHeader'>,
): boolean {
  if (request.grpc) return policy.grpcIdempotent.has(request.path);
  if (idempotentMethods.has(request.method)) return true;
  return policy.nativeKeyHeader !== undefined && isPresent(request.headers[policy.nativeKeyHeader]);
}

export function decideRetry(end: AttemptEnd, rules: RetryRules, facts: RetryFacts): RetryDecision {
  const condition = conditionOf(end, rules);
  if (condition === undefined) return stopped('not-retriable');
  const untouched = end.kind === 'failed' && failureTable[end.failure].processed === 'no';
  if (!untouched && !facts.repeatable) return stopped('unsafe');
  if (end.kind === 'answer' && end.headers['x-envoy-ratelimited'] !== undefined) return stopped('rate-limited');
  if (!facts.replayable) return stopped('body');
  if (facts.attempts > rules.attempts) return stopped('attempts', facts.attempts > 1 ? 'URX' : undefined);
  const afterMs = waitOf(end, rules, facts);
  if (afterMs === 'never') return stopped('pushback');
  if (afterMs >= facts.remainingMs) return stopped('deadline', 'URX');
  if (!facts.budget) return stopped('budget', 'UO');
  if (!facts.slot) return stopped('overflow', 'UO');
  return { kind: 'retry', afterMs, condition };
}

/** The condition of the policy that the end meets, the most exact one first. */
export function conditionOf(end: AttemptEnd, { on, statusCodes }: RetryRules): RetryCondition | undefined {
  if (end.kind === 'failed') return conditionsOfFailure[end.failure]?.find((condition) => on.has(condition));
  const { status, grpcStatus } = end;
  const grpc = grpcStatus === undefined ? undefined : conditionsOfGrpcStatus.get(grpcStatus);
  if (grpc !== undefined && on.has(grpc)) return grpc;
  if (statusCodes.has(status)) return 'retriable-status-codes';
  if (status >= 502 && status <= 504 && on.has('gateway-error')) return 'gateway-error';
  if (status >= 500 && on.has('5xx')) return '5xx';
  return status === 409 && on.has('retriable-4xx') ? 'retriable-4xx' : undefined;
}

/** Kinds that stand here can be asked for; all others are final. */
const conditionsOfFailure: Partial<Record<FailureKind, readonly RetryCondition[]>> = {
  'connect-failure': ['connect-failure', 'gateway-error', '5xx'],
  'refused-stream': ['refused-stream', 'gateway-error', '5xx'],
  'reset-before-request': ['reset-before-request', 'reset', 'gateway-error', '5xx'],
  reset: ['reset', 'gateway-error', '5xx'],
  'bad-answer': ['reset', 'gateway-error', '5xx'],
  'per-try-timeout': ['per-try-timeout', 'reset', 'gateway-error', '5xx'],
};

const conditionsOfGrpcStatus: ReadonlyMap<number, RetryCondition> = new Map([
  [1, 'grpc-cancelled'],
  [4, 'grpc-deadline-exceeded'],
  [8, 'grpc-resource-exhausted'],
  [13, 'grpc-internal'],
  [14, 'grpc-unavailable'],
]);

function waitOf(end: AttemptEnd, rules: RetryRules, { attempts, unit, nowMs }: RetryFacts): number | 'never' {
  const own = backoffMs(rules.backoff, attempts, unit);
  if (end.kind === 'failed') return own;
  const pushback = grpcPushback(end.headers);
  if (pushback === 'never') return pushback;
  const asked = pushback ?? retryAfterMs(end.status, end.headers, nowMs);
  return asked === undefined ? own : spreadMs(asked, unit);
}

function stopped(reason: StopReason, flag?: ResponseFlag): RetryDecision {
  return { kind: 'stop', reason, flag };
}

function isPresent(value: string | readonly string[] | undefined): boolean {
  return value !== undefined && value !== '' && value.length > 0;
}
