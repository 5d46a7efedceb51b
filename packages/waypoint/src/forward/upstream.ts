/**
 * The seam between deciding how often and to whom a request is sent, and sending it.
 *
 * U1  `send` makes exactly one attempt and never rejects: what went wrong is a value, with the row of the failure table
 *     that fits what had been sent by then.
 * U2  The answer resolves with the head; a body that is not whole by then streams with back-pressure, and trailers stand
 *     when it has ended.
 * U3  Aborting `signal` ends the attempt at once; after the head it destroys the body.
 */
import type { Readable } from 'node:stream';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { WorkloadUid } from '@clearmesh/shared/model/names';
import type { ConnectHeaders } from '@clearmesh/shared/tunnel/engine';
import type { AnswerBody } from '../exchange/answer-body.ts';
import type { LightSignal } from '../exchange/light-signal.ts';
import type { Failure } from '../exchange/failure.ts';

/** One endpoint of a backend, ready to be dialled. */
export type UpstreamEndpoint = {
  /** `uid/port`: what statistics and ejection are kept by. */
  readonly id: string;
  readonly workload: WorkloadUid;
  readonly name: string;
  readonly address: SocketAddress;
  /** Who must answer; absent for an endpoint outside the mesh, which is called in plain TCP. */
  readonly identity?: SpiffeId;
  readonly protocol: 'HTTP/1.1' | 'HTTP/2';
};

/** Names are lower case; a list of values is sent as several fields. */
export type UpstreamHeaders = Readonly<Record<string, string | readonly string[]>>;

export type UpstreamRequest = {
  readonly method: string;
  /** Path with query. */
  readonly path: string;
  readonly authority: string;
  readonly headers: UpstreamHeaders;
  /** On whose behalf: told to the endpoint's ztunnel, and never shared with another caller's connection. */
  readonly caller: SpiffeId;
  /** What the endpoint's ztunnel is told with a new connection, for telemetry. @default nothing */
  readonly connect?: ConnectHeaders;
};

/** `undefined`: no body. A buffer is a body that is kept for another attempt. */
export type UpstreamBody = Readable | Uint8Array | undefined;

export type UpstreamAnswer = {
  readonly status: number;
  readonly headers: UpstreamHeaders;
  readonly body: AnswerBody;
  /** Empty until the body has ended. */
  trailers(): UpstreamHeaders;
};

export type AttemptOutcome =
  | { readonly kind: 'answer'; readonly answer: UpstreamAnswer }
  | { readonly kind: 'failed'; readonly failure: Failure };

export interface Upstream {
  send(endpoint: UpstreamEndpoint, request: UpstreamRequest, body: UpstreamBody, signal: LightSignal): Promise<AttemptOutcome>;
}
