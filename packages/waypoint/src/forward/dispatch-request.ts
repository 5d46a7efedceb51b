/** What goes into forwarding, and what comes out of it. */
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import type { ConnectHeaders } from '@clearmesh/shared/tunnel/engine';
import type { Failure, FailureKind, Outcome, ResponseFlag } from '../exchange/failure.ts';
import type { ForwardPolicy } from './forward-policy.ts';
import type { EjectionCause } from './outlier.ts';
import type { UpstreamAnswer, UpstreamBody, UpstreamEndpoint } from './upstream.ts';

/** Names are lower case. */
export type MutableHeaders = Record<string, string | readonly string[]>;

export type DispatchRequest = {
  readonly policy: ForwardPolicy;
  /** Names the breaker within its backend. */
  readonly route: string;
  /** All that are ready; the same list object for as long as it is the same. */
  readonly endpoints: readonly UpstreamEndpoint[];
  readonly method: string;
  /** Path with query. */
  readonly path: string;
  readonly authority: string;
  /** With the caller's `x-mesh-deadline-ms` and `grpc-timeout`. They belong to the dispatcher from here on. */
  readonly headers: MutableHeaders;
  readonly grpc: boolean;
  readonly caller: SpiffeId;
  /** Unless the observer of an attempt gives its own. */
  readonly connect?: ConnectHeaders;
  readonly body: UpstreamBody;
  /** When the request arrived, monotonic milliseconds. */
  readonly startedMs: number;
  /** Hears of every attempt when it starts, and may change its headers; it must not throw. @param attempt counts from 1 */
  readonly onAttempt?: (endpoint: UpstreamEndpoint, attempt: number, headers: MutableHeaders) => AttemptObserver;
};

export type AttemptObserver = {
  readonly connect?: ConnectHeaders;
  /** Called once, when the answer's body has ended or there is none. */
  end(outcome: ObservedEnd): void;
};

export type ObservedEnd = {
  readonly status?: number;
  readonly grpcStatus?: number;
  readonly failure?: FailureKind;
};

export type DispatchedAnswer = {
  readonly kind: 'answer';
  /** Its body must be read to the end, or destroyed; what breaks it off is an `UpstreamError` with the failure. */
  readonly answer: UpstreamAnswer;
  readonly endpoint: UpstreamEndpoint;
  readonly attempts: number;
  /** `-`, or why there was no further attempt. */
  readonly flag: ResponseFlag;
  /** How the body ended; never rejects. */
  readonly ended: Promise<AnswerEnd>;
};

export type AnswerEnd = { readonly kind: 'complete' } | { readonly kind: 'failed'; readonly failure: Failure };

export type DispatchFailure = {
  readonly kind: 'failed';
  readonly failure: Failure;
  /** `not-dispatched` only if every attempt certainly did nothing (C10). */
  readonly outcome: Outcome;
  readonly flag: ResponseFlag;
  /** 0: none was made. */
  readonly attempts: number;
  /** Of the last attempt. */
  readonly endpoint?: UpstreamEndpoint;
};

export type DispatchResult = DispatchedAnswer | DispatchFailure;

/** What is counted. */
export interface ForwardMetrics {
  attemptEnded(outcome: 'answer' | FailureKind): void;
  retried(reason: string): void;
  retryRefused(reason: string): void;
  ejected(cause: EjectionCause): void;
}
