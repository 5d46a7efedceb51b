/**
 * HTTP/1.1 to the endpoints: undici over streams of {@link WireConnector}, one pool for each endpoint and caller.
 *
 * H1  A connection carries one request at a time and is kept for the next one of the same caller.
 * H2  Once the head was written the outcome is unknown until an answer comes (failure table, `reset`).
 * H3  Pools without a request for `idleMs` are closed; nothing else outlives its endpoint.
 * H4  An answer that came in one piece is handed over in one piece: most are small, and streams for them cost more than
 *     all that is decided about them (`npm run bench -- waypoint`).
 */
import { Readable } from 'node:stream';
import type { IncomingHttpHeaders } from 'node:http';
import type { Duplex } from 'node:stream';
import { Pool } from 'undici';
import type { Dispatcher } from 'undici';
import type { Cancel, Clock } from '@clearmesh/shared/lifecycle/clock';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import type { ConnectHeaders } from '@clearmesh/shared/tunnel/engine';
import type { AnswerBody } from '../exchange/answer-body.ts';
import type { LightSignal } from '../exchange/light-signal.ts';
import { connectionKey } from './wire-connection.ts';
import type { WireConnector } from './wire-connection.ts';
import { UpstreamError, failureOf } from './wire-failure.ts';
import type { Progress } from './wire-failure.ts';
import type { AttemptOutcome, UpstreamBody, UpstreamEndpoint, UpstreamHeaders, UpstreamRequest } from './upstream.ts';

export type Http1Options = {
  /** Connections to one endpoint on behalf of one caller. @default 1024 */
  readonly maxConnections?: number;
  /** Time without a request after which connections are closed, milliseconds. @default 60 000 */
  readonly idleMs?: number;
  /** Bytes of an answer's head. @default 64 KiB */
  readonly maxHeaderBytes?: number;
};

type Deps = { readonly connector: WireConnector; readonly clock: Clock };

/** An upgrade that the endpoint accepted: from here on bytes, not requests. */
export type UpgradeOutcome =
  | { readonly kind: 'upgraded'; readonly headers: UpstreamHeaders; readonly stream: Duplex }
  | AttemptOutcome;

type Entry = {
  readonly pool: Pool;
  readonly close: AbortController;
  lastUsedMs: number;
  /** Of the newest request: what a new connection tells the endpoint's ztunnel. */
  headers: ConnectHeaders;
};

export class Http1Upstream implements AsyncDisposable {
  readonly #options: Required<Http1Options>;
  readonly #deps: Deps;
  readonly #pools = new Map<string, Entry>();
  #cancelSweep: Cancel | undefined;

  constructor(options: Http1Options, deps: Deps) {
    this.#options = { maxConnections: 1024, idleMs: 60_000, maxHeaderBytes: 64 * 1024, ...options };
    this.#deps = deps;
  }

  /** Pools open now. */
  get size(): number {
    return this.#pools.size;
  }

  send(endpoint: UpstreamEndpoint, request: UpstreamRequest, body: UpstreamBody, signal: LightSignal): Promise<AttemptOutcome> {
    const { promise, resolve } = Promise.withResolvers<AttemptOutcome>();
    const handler = new AnswerHandler(endpoint.name, signal, (outcome) => resolve(withoutUpgrade(outcome, endpoint.name)));
    this.#poolOf(endpoint, request).dispatch(
      {
        path: request.path,
        method: request.method,
        headers: headersOf(request),
        body: body ?? null,
      },
      handler,
    );
    return promise;
  }

  /** Sends a request that asks for another protocol; at most once, whatever comes of it. */
  upgrade(endpoint: UpstreamEndpoint, request: UpstreamRequest, protocol: string, signal: AbortSignal): Promise<UpgradeOutcome> {
    const { promise, resolve } = Promise.withResolvers<UpgradeOutcome>();
    const handler = new AnswerHandler(endpoint.name, signal, resolve);
    this.#poolOf(endpoint, request).dispatch(
      {
        path: request.path,
        method: request.method,
        headers: headersOf(request),
        upgrade: protocol,
      },
      handler,
    );
    return promise;
  }

  /** Ends connections to an endpoint that is gone; requests under way end with them. */
  forget(isGone: (endpointId: string) => boolean): void {
    for (const [key, entry] of this.#pools) {
      if (isGone(key.slice(0, key.indexOf(' ')))) void this.#close(key, entry);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancelSweep?.();
    await Promise.all([...this.#pools].map(([key, entry]) => this.#close(key, entry)));
  }

  #poolOf(endpoint: UpstreamEndpoint, { caller, connect }: UpstreamRequest): Pool {
    const key = connectionKey(endpoint, caller);
    let entry = this.#pools.get(key);
    if (entry === undefined) {
      entry = this.#open(endpoint, caller);
      this.#pools.set(key, entry);
      this.#cancelSweep ??= this.#deps.clock.after(this.#options.idleMs, this.#sweep);
    }
    entry.lastUsedMs = this.#deps.clock.monotonicMs();
    entry.headers = connect ?? {};
    return entry.pool;
  }

  #open(endpoint: UpstreamEndpoint, caller: SpiffeId): Entry {
    const { maxConnections, idleMs, maxHeaderBytes } = this.#options;
    const close = new AbortController();
    const pool = new Pool('http://endpoint.invalid', {
      connections: maxConnections,
      pipelining: 1,
      // Time is kept by whoever sends: undici's own timers know nothing of deadlines.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: idleMs,
      keepAliveMaxTimeout: idleMs,
      maxHeaderSize: maxHeaderBytes,
      connect: (_options, callback) => {
        void this.#deps.connector.connect(endpoint, caller, entry.headers, close.signal).then((result) => {
          // undici asks for a socket, and uses of it what every Duplex has.
          if (result.kind === 'connected') callback(null, result.stream as never);
          else callback(new UpstreamError(result.failure), null);
        });
      },
    });
    const entry: Entry = { pool, close, lastUsedMs: this.#deps.clock.monotonicMs(), headers: {} };
    return entry;
  }

  readonly #sweep = (): void => {
    const before = this.#deps.clock.monotonicMs() - this.#options.idleMs;
    for (const [key, entry] of this.#pools) {
      const { running, pending } = entry.pool.stats;
      if (entry.lastUsedMs <= before && running === 0 && pending === 0) void this.#close(key, entry);
    }
    this.#cancelSweep = this.#pools.size > 0 ? this.#deps.clock.after(this.#options.idleMs, this.#sweep) : undefined;
  };

  async #close(key: string, { pool, close }: Entry): Promise<void> {
    this.#pools.delete(key);
    close.abort(new Error('the endpoint is gone'));
    await pool.destroy(new Error('the endpoint is gone'));
  }
}

type Head = { readonly status: number; readonly headers: UpstreamHeaders };
type Held = { readonly chunks: Buffer[]; bytes: number };

/** Bytes of a body that are kept for its end; as much as is read from a connection at once. */
const maxHeldBytes = 64 * 1024;
const empty = Buffer.alloc(0);

/** One request on its way through undici. */
class AnswerHandler implements Dispatcher.DispatchHandler {
  readonly #name: string;
  readonly #signal: LightSignal;
  readonly #settle: (outcome: UpgradeOutcome) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #progress: Progress = 'queued';
  #head: Head | undefined;
  /** What came together with the head; `undefined` before it, and once the answer streams. */
  #held: Held | undefined;
  #body: Readable | undefined;
  #trailers: UpstreamHeaders = {};

  constructor(name: string, signal: LightSignal, settle: (outcome: UpgradeOutcome) => void) {
    this.#name = name;
    this.#signal = signal;
    this.#settle = settle;
    if (signal.aborted) this.#recvAbort();
    else signal.addEventListener('abort', this.#recvAbort, { once: true });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#signal.aborted) return controller.abort(abortError(this.#signal));
    this.#progress = 'sent';
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200) return;
    this.#progress = 'answered';
    this.#controller = controller;
    this.#head = { status, headers: present(headers) };
    this.#held = { chunks: [], bytes: 0 };
    // What was read from the connection with the head is parsed in this very turn.
    queueMicrotask(this.#stream);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#held !== undefined) {
      this.#held.chunks.push(chunk);
      this.#held.bytes += chunk.length;
      if (this.#held.bytes > maxHeldBytes) this.#stream();
    } else if (this.#body?.push(chunk) === false) controller.pause();
  }

  onResponseEnd(_controller: Dispatcher.DispatchController, trailers: IncomingHttpHeaders): void {
    this.#trailers = present(trailers);
    const body = this.#body;
    const held = this.#held;
    this.#release();
    if (held === undefined) body?.push(null);
    else this.#answer(held.chunks.length === 1 ? (held.chunks[0] ?? empty) : Buffer.concat(held.chunks));
  }

  onRequestUpgrade(
    _controller: Dispatcher.DispatchController,
    _status: number,
    headers: IncomingHttpHeaders,
    stream: Duplex,
  ): void {
    this.#release();
    this.#settle({ kind: 'upgraded', headers: present(headers), stream });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#stream();
    const body = this.#body;
    this.#release();
    if (body === undefined) this.#settle({ kind: 'failed', failure: failureOf(error, this.#progress, this.#name) });
    else body.destroy(new UpstreamError(failureOf(error, this.#progress, this.#name)));
  }

  readonly #recvAbort = (): void => {
    if (this.#controller !== undefined) return this.#controller.abort(abortError(this.#signal));
    // Still waiting for a connection: undici tells nobody, so the caller is told here.
    this.#settle({ kind: 'failed', failure: failureOf(abortError(this.#signal), 'queued', this.#name) });
  };

  /** From here on the answer streams, unless it was whole, or does so already. */
  readonly #stream = (): void => {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    const body = new Readable({
      read: () => this.#controller?.resume(),
      destroy: (error, callback) => {
        if (this.#body !== undefined) this.#controller?.abort(error ?? new Error('the answer is not wanted any more'));
        callback(error);
      },
    });
    // A broken answer is told by whoever reads it; nobody may be reading yet.
    body.on('error', ignore);
    this.#body = body;
    let room = true;
    for (const chunk of held.chunks) room = body.push(chunk);
    if (!room) this.#controller?.pause();
    this.#answer(body);
  };

  #answer(body: AnswerBody): void {
    if (this.#head !== undefined) {
      this.#settle({ kind: 'answer', answer: { ...this.#head, body, trailers: () => this.#trailers } });
    }
  }

  /** After this a late word of the body's owner reaches nobody. */
  #release(): void {
    this.#body = undefined;
    this.#held = undefined;
    this.#signal.removeEventListener('abort', this.#recvAbort);
  }
}

/** undici never leaves a name without a value. */
function present(headers: IncomingHttpHeaders): UpstreamHeaders {
  return headers as UpstreamHeaders;
}

function headersOf({ headers, authority }: UpstreamRequest): IncomingHttpHeaders {
  return { ...(headers as IncomingHttpHeaders), host: authority };
}

/** RFC 9110 section 7.8: a server may not change the protocol unasked. */
function withoutUpgrade(outcome: UpgradeOutcome, name: string): AttemptOutcome {
  if (outcome.kind !== 'upgraded') return outcome;
  outcome.stream.destroy();
  return { kind: 'failed', failure: { kind: 'bad-answer', detail: `endpoint ${name} changed the protocol unasked` } };
}

function abortError(signal: LightSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error('aborted');
}

function ignore(): void {}
