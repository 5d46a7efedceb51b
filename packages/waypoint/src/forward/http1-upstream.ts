/**
 * HTTP/1.1 to the endpoints: undici over streams of {@link WireConnector}, one pool for each endpoint and caller.
 *
 * H1  A connection carries one request at a time and is kept for the next one of the same caller.
 * H2  Once the head was written the outcome is unknown until an answer comes (failure table, `reset`).
 * H3  Pools without a request for `idleMs` are closed; nothing else outlives its endpoint.
 * H4  Once the endpoint's proxy drains, new requests take new connections, and old ones end with the request they carry.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { Pool } from 'undici';
import type { Cancel, Clock } from '@clearmesh/shared/lifecycle/clock';
import type { IpAddress } from '@clearmesh/shared/model/ip-address';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import type { ConnectHeaders } from '@clearmesh/shared/tunnel/engine';
import type { LightSignal } from '../exchange/light-signal.ts';
import { AnswerHandler } from './http1-answer.ts';
import type { UpgradeOutcome } from './http1-answer.ts';
import { connectionKey } from './wire-connection.ts';
import type { WireConnector } from './wire-connection.ts';
import { UpstreamError } from './wire-failure.ts';
import type { AttemptOutcome, UpstreamBody, UpstreamEndpoint, UpstreamRequest } from './upstream.ts';

export type Http1Options = {
  /** Connections to one endpoint on behalf of one caller. @default 1024 */
  readonly maxConnections?: number;
  /** Time without a request after which connections are closed, milliseconds. @default 60 000 */
  readonly idleMs?: number;
  /** Bytes of an answer's head. @default 64 KiB */
  readonly maxHeaderBytes?: number;
};

type Deps = { readonly connector: WireConnector; readonly clock: Clock };

type Entry = {
  readonly endpoint: UpstreamEndpoint;
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
  /** H4. */
  readonly #retired = new Set<Entry>();
  #cancelSweep: Cancel | undefined;

  constructor(options: Http1Options, deps: Deps) {
    this.#options = { maxConnections: 1024, idleMs: 60_000, maxHeaderBytes: 64 * 1024, ...options };
    this.#deps = deps;
  }

  /** Pools open now. */
  get size(): number {
    return this.#pools.size + this.#retired.size;
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
    for (const [key, entry] of this.#pools) if (isGone(entry.endpoint.id)) void this.#close(key, entry);
    for (const entry of this.#retired) if (isGone(entry.endpoint.id)) void this.#end(entry);
  }

  /** H4. */
  retire(ip: IpAddress): void {
    for (const [key, entry] of this.#pools) {
      if (entry.endpoint.address.ip !== ip) continue;
      this.#pools.delete(key);
      this.#retired.add(entry);
      void entry.pool.close().then(() => this.#retired.delete(entry), ignore);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancelSweep?.();
    const closing = [...this.#pools].map(([key, entry]) => this.#close(key, entry));
    await Promise.all([...closing, ...[...this.#retired].map((entry) => this.#end(entry))]);
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
    const entry: Entry = { endpoint, pool, close, lastUsedMs: this.#deps.clock.monotonicMs(), headers: {} };
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

  #close(key: string, entry: Entry): Promise<void> {
    this.#pools.delete(key);
    return this.#end(entry);
  }

  async #end(entry: Entry): Promise<void> {
    const { pool, close } = entry;
    this.#retired.delete(entry);
    close.abort(new Error('the endpoint is gone'));
    await pool.destroy(new Error('the endpoint is gone'));
  }
}

function ignore(): void {}

function headersOf({ headers, authority }: UpstreamRequest): IncomingHttpHeaders {
  return { ...(headers as IncomingHttpHeaders), host: authority };
}

/** RFC 9110 section 7.8: a server may not change the protocol unasked. */
function withoutUpgrade(outcome: UpgradeOutcome, name: string): AttemptOutcome {
  if (outcome.kind !== 'upgraded') return outcome;
  outcome.stream.destroy();
  return { kind: 'failed', failure: { kind: 'bad-answer', detail: `endpoint ${name} changed the protocol unasked` } };
}
