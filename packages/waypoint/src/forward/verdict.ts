/**
 * What an attempt's end says of the endpoint and of the backend, by the failure table and by the answer's status.
 *
 * V1  What the endpoint did not do says nothing: refusals of ours, callers that leave, denials and throttles of whoever
 *     stands behind (B1). A caller must not be able to open the breaker with requests that are not his to make.
 * V2  A gRPC status counts where it stands in the head (an answer of trailers only), since the HTTP status is 200 then.
 */
import { failureTable } from '../exchange/failure.ts';
import type { FailureKind } from '../exchange/failure.ts';
import type { BreakerVerdict } from './breaker.ts';
import type { Sign } from './outlier.ts';

export type Effect = {
  readonly breaker: BreakerVerdict;
  readonly outlier: Sign;
  /** `sample`: the round trip counts; `penalty`: it counts as a very long one. */
  readonly load: 'sample' | 'penalty' | 'none';
};

const good: Effect = { breaker: 'success', outlier: 'healthy', load: 'sample' };
const bad: Effect = { breaker: 'failure', outlier: 'answer', load: 'penalty' };
const throttled: Effect = { breaker: 'throttled', outlier: 'neutral', load: 'penalty' };
export const neutral: Effect = { breaker: 'neutral', outlier: 'neutral', load: 'none' };

const failureEffects: ReadonlyMap<FailureKind, Effect> = new Map(
  Object.entries(failureTable).map(([kind, { breaker, outlier }]) => [
    kind as FailureKind,
    { breaker, outlier, load: breaker === 'failure' ? 'penalty' : 'none' },
  ]),
);

export function effectOfFailure(kind: FailureKind): Effect {
  return failureEffects.get(kind) ?? neutral;
}

/** @param rateLimited the answer carries `x-envoy-ratelimited` */
export function effectOfAnswer(status: number, grpcStatus: number | undefined, rateLimited: boolean): Effect {
  if (rateLimited || status === 429) return throttled;
  if (status >= 500) return bad;
  // Denials, and 404 and 408, which application servers also give while they are starting.
  if (status === 401 || status === 403 || status === 404 || status === 407 || status === 408) return neutral;
  return grpcStatus === undefined ? good : effectOfGrpcStatus(grpcStatus);
}

/** grpc.io statuscodes. */
function effectOfGrpcStatus(status: number): Effect {
  switch (status) {
    // UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE, DATA_LOSS
    case 2:
    case 4:
    case 13:
    case 14:
    case 15:
      return bad;
    // RESOURCE_EXHAUSTED
    case 8:
      return throttled;
    // CANCELLED, PERMISSION_DENIED, UNIMPLEMENTED, UNAUTHENTICATED
    case 1:
    case 7:
    case 12:
    case 16:
      return neutral;
    default:
      return good;
  }
}

/** A `grpc-status` of headers or trailers; not a number: 2, UNKNOWN (gRPC over HTTP/2, Responses). */
export function grpcStatusOf(value: string | readonly string[] | undefined): number | undefined {
  if (value === undefined) return undefined;
  const status = Number(typeof value === 'string' ? value : value[0]);
  return Number.isInteger(status) && status >= 0 && status <= 16 ? status : 2;
}
