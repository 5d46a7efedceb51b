/**
 * The tunnel seam: HTTP/2 as far as HBONE needs it, over a transport that is already authenticated.
 * Pool, TLS and policy stand above it and know no frame; an engine below it knows no identity.
 * Every engine passes `test/tunnel/engine-compliance.ts`, client against server and against foreign peers.
 *
 * What holds for every engine (l4-contract sections 2.2, 2.3, 2.5):
 * N1  A stream is a Duplex with allowHalfOpen: end() sends END_STREAM, and reading goes on.
 * N2  RST_STREAM with NO_ERROR or CANCEL reads as the end of the stream: what had arrived stays readable, then come `end` and
 *     `close`. What is still written is discarded, and no `finish` claims that it arrived. Other codes destroy the stream with
 *     an error.
 * N3  destroy() of a stream, with an error or without, sends RST_STREAM CANCEL and frees what it held.
 * N4  Back-pressure runs through: a reader that stops makes the peer stop within one stream window.
 * N5  Nothing a peer sends throws: a protocol violation ends the session, and `closed` tells which. A stream's `error` event
 *     needs no listener.
 * N6  The end of the connection destroys its streams with an error, unless both directions were complete; what had arrived
 *     stays readable first.
 * N7  resetAndDestroy() of a stream sends RST_STREAM CONNECT_ERROR instead (RFC 9113 section 8.5), and the peer's stream fails with a
 *     ConnectionReset.
 */
import type { Duplex } from 'node:stream';

/** The CONNECT headers of HBONE (section 2.1), and one of ours. Absent fields are not sent. */
export type ConnectHeaders = {
  readonly baggage?: string;
  readonly forwarded?: string;
  readonly traceparent?: string;
  readonly xForwardedNetwork?: string;
  /** `x-clearmesh-caller`: the SPIFFE id on whose behalf a waypoint asks; nobody else sends it. */
  readonly caller?: string;
};

export type ConnectRequest = { readonly authority: string; readonly headers: ConnectHeaders };

/** The peer's answer: a stream only with 200. */
export type ConnectResponse =
  | { readonly kind: 'open'; readonly stream: Duplex; readonly baggage?: string }
  | { readonly kind: 'refused'; readonly status: number }
  | {
      readonly kind: 'failed';
      readonly error: Error;
      /** True when the peer certainly did nothing with the request, so that it may be sent again (RFC 9113 section 8.7). */
      readonly unprocessed: boolean;
    };

/** Why a session ended; a closed list, fit to be a metric label. */
export type SessionEndReason =
  /** This side drained or destroyed it. */
  | 'closed'
  /** The peer said GOAWAY NO_ERROR, and the last stream ended. */
  | 'peer-goaway'
  /** The peer said GOAWAY with an error code. */
  | 'peer-error'
  /** The connection below closed or broke. */
  | 'connection-lost'
  | 'ping-timeout'
  /** No SETTINGS, or as server no first request, in time. */
  | 'slow-peer'
  | 'protocol-violation'
  /** More resets, pings, settings or invalid frames than anybody needs. */
  | 'flood';

export type SessionEnd = {
  readonly reason: SessionEndReason;
  /** One clause for the log. */
  readonly detail: string;
};

/** Settings of one role (section 2.3); sizes in bytes. */
export type EngineSettings = {
  /** @default 4 MiB */
  readonly streamWindow: number;
  /** @default 16 MiB */
  readonly connectionWindow: number;
  /** @default 1 MiB */
  readonly maxFrame: number;
  /** @default 16 KiB as client, 64 KiB as server */
  readonly maxHeaderList: number;
  /** Streams the peer may open; server only. @default 200 */
  readonly maxConcurrentStreams: number;
  /** Time between pings, milliseconds. @default 10 000 */
  readonly pingIntervalMs: number;
  /** Time to wait for the answer to a ping, milliseconds. @default 20 000 */
  readonly pingTimeoutMs: number;
  /** Time for the peer's SETTINGS, and as server for the first request, milliseconds. @default 10 000 */
  readonly firstFramesMs: number;
};

/** A client connection to one peer. */
export interface ClientSession extends AsyncDisposable {
  /** Streams open now. */
  readonly activeStreams: number;
  /** SETTINGS_MAX_CONCURRENT_STREAMS of the peer; Infinity until it says otherwise. */
  readonly peerMaxStreams: number;
  /** False after GOAWAY, close or loss: no new stream may be opened. */
  readonly usable: boolean;
  /** Resolves when the peer said GOAWAY NO_ERROR: its streams go on, and it will end them at a time of its own. */
  readonly peerDraining: Promise<void>;
  /** Resolves when the connection is gone, with the reason; never rejects. */
  readonly closed: Promise<SessionEnd>;
  open(request: ConnectRequest, signal: AbortSignal): Promise<ConnectResponse>;
  /** No new streams; the connection closes when the last one ended. */
  drain(): void;
  /** Ends the connection and all its streams now; they fail with `cause`, if there is one. */
  destroy(cause?: Error): void;
}

/**
 * How a CONNECT is refused (l4-contract section 8.1). 421 is ours (RFC 9110 section 15.5.20): this way to the destination is
 * not open, and another one may be.
 */
export type RefusalStatus = 400 | 401 | 421 | 503;

/** One request as it arrived; answered exactly once by accept() or refuse(), which do nothing when the peer is gone. */
export interface IncomingConnect {
  readonly method: string;
  /** The raw `:authority`, possibly "". */
  readonly authority: string;
  readonly headers: ConnectHeaders;
  /** Aborts when the peer reset the stream or the connection is gone. */
  readonly gone: AbortSignal;
  /** Sends 200 and returns the stream; a destroyed one when the peer is gone. */
  accept(headers: { readonly baggage?: string }): Duplex;
  /** Sends the status with END_STREAM, without a body. */
  refuse(status: RefusalStatus): void;
}

/** A server connection from one peer. */
export interface ServerSession extends AsyncDisposable {
  readonly activeStreams: number;
  /** Resolves when the connection is gone, with the reason; never rejects. */
  readonly closed: Promise<SessionEnd>;
  /** Graceful GOAWAY: streams may finish. */
  drain(): void;
  /** Abrupt GOAWAY NO_ERROR, then everything ends; streams fail with `cause`, if there is one. */
  destroy(cause?: Error): void;
}

export interface TunnelEngine {
  readonly name: string;
  /** For connections that run within streams of this engine's: they read while those do, and share nothing with them. */
  readonly inner: TunnelEngine;
  /** Takes over the transport; rejects when it is gone already. */
  connect(transport: Duplex, settings: EngineSettings): Promise<ClientSession>;
  serve(transport: Duplex, settings: EngineSettings, onConnect: (incoming: IncomingConnect) => void): ServerSession;
}
