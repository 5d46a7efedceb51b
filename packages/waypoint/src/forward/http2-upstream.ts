/**
 * HTTP/2 to the endpoints (gRPC, h2c): node:http2 over streams of {@link WireConnector}, sessions by endpoint and caller.
 *
 * S1  A session takes as many streams as its peer allows; beyond that another one is made.
 * S2  GOAWAY: no new stream; those above its last id were not processed (RFC 9113 section 6.8) and count as refused.
 * S3  A session without a stream for `idleMs` is closed.
 * S4  A stream that is given up is destroyed, never closed: `close` ends it first, so that a part of a body may look whole;
 *     and with a write under way Node 26.10 then makes frames without end, in native code, until there is no memory left.
 * S5  Once the endpoint's proxy drains, new requests take new sessions, and an old one ends after its last stream: not from
 *     within that stream's end, whose last frames Node may still be writing (S4).
 */
import http2 from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import { pipeline } from 'node:stream';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { IpAddress } from '@clearmesh/shared/model/ip-address';
import type { LightSignal } from '../exchange/light-signal.ts';
import { connectionKey } from './wire-connection.ts';
import type { WireConnector } from './wire-connection.ts';
import { failureOf, kindOfReset } from './wire-failure.ts';
import type { Progress } from './wire-failure.ts';
import type { AttemptOutcome, UpstreamBody, UpstreamEndpoint, UpstreamHeaders, UpstreamRequest } from './upstream.ts';

export type Http2Options = {
  /** Streams of one session, less if the peer says so. @default 100 */
  readonly maxStreams?: number;
  /** Sessions to one endpoint on behalf of one caller. @default 64 */
  readonly maxSessions?: number;
  /** @default 60 000 */
  readonly idleMs?: number;
  /** Bytes of an answer's head. @default 64 KiB */
  readonly maxHeaderBytes?: number;
};

type Deps = { readonly connector: WireConnector; readonly clock: Clock };
type Member = {
  readonly endpoint: UpstreamEndpoint;
  readonly session: ClientHttp2Session;
  readonly open: Set<ClientHttp2Stream>;
  streams: number;
  retired: boolean;
  lastUsedMs: number;
};
type Opened = { readonly kind: 'session'; readonly member: Member } | (AttemptOutcome & { readonly kind: 'failed' });

export class Http2Upstream implements AsyncDisposable {
  readonly #options: Required<Http2Options>;
  readonly #deps: Deps;
  readonly #members = new Map<string, Set<Member>>();
  /** One session in the making for each key; those who come meanwhile share it. */
  readonly #opening = new Map<string, Promise<Opened>>();
  readonly #stopped = new AbortController();

  constructor(options: Http2Options, deps: Deps) {
    this.#options = { maxStreams: 100, maxSessions: 64, idleMs: 60_000, maxHeaderBytes: 64 * 1024, ...options };
    this.#deps = deps;
  }

  /** Sessions open now. */
  get size(): number {
    return [...this.#members.values()].reduce((sum, members) => sum + members.size, 0);
  }

  async send(
    endpoint: UpstreamEndpoint,
    request: UpstreamRequest,
    body: UpstreamBody,
    signal: LightSignal,
  ): Promise<AttemptOutcome> {
    const opened = await this.#session(endpoint, request, signal);
    if (opened.kind === 'failed') return opened;
    if (signal.aborted) return { kind: 'failed', failure: failureOf(signal.reason, 'queued', endpoint.name) };
    return this.#exchange(opened.member, endpoint, request, body, signal);
  }

  /** Ends connections to an endpoint that is gone; requests under way end with them. */
  forget(isGone: (endpointId: string) => boolean): void {
    for (const members of this.#members.values())
      for (const { endpoint, session } of members) if (isGone(endpoint.id)) session.destroy();
  }

  /** S5. */
  retire(ip: IpAddress): void {
    for (const members of this.#members.values()) {
      for (const member of members) {
        if (member.endpoint.address.ip !== ip) continue;
        member.retired = true;
        closeIfDone(member);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort(new Error('the waypoint is closing'));
    await Promise.all(this.#opening.values());
    for (const members of this.#members.values()) for (const { session } of members) session.destroy();
  }

  async #session(endpoint: UpstreamEndpoint, request: UpstreamRequest, signal: LightSignal): Promise<Opened> {
    const key = connectionKey(endpoint, request.caller);
    for (;;) {
      const members = this.#members.get(key);
      const free = members === undefined ? undefined : freest(members, this.#options.maxStreams);
      if (free !== undefined) {
        free.streams += 1;
        return { kind: 'session', member: free };
      }
      if (members !== undefined && members.size >= this.#options.maxSessions) {
        return {
          kind: 'failed',
          failure: { kind: 'overflow', detail: `endpoint ${endpoint.name} has as many sessions as it may` },
        };
      }
      let opening = this.#opening.get(key);
      if (opening === undefined) {
        opening = this.#open(key, endpoint, request).finally(() => this.#opening.delete(key));
        this.#opening.set(key, opening);
      }
      const opened = await unlessAborted(opening, signal);
      if (opened === undefined) return { kind: 'failed', failure: failureOf(signal.reason, 'queued', endpoint.name) };
      if (opened.kind === 'failed') return opened;
    }
  }

  async #open(key: string, endpoint: UpstreamEndpoint, { caller, connect = {} }: UpstreamRequest): Promise<Opened> {
    const connected = await this.#deps.connector.connect(endpoint, caller, connect, this.#stopped.signal);
    if (connected.kind === 'failed') return connected;
    const open = new Set<ClientHttp2Stream>();
    const recvLost = (): void => {
      for (const stream of open) if (!stream.closed) stream.destroy(new Error('the connection ended'));
    };
    // Before Node's own listeners, which `close` the streams (S4).
    connected.stream.once('end', recvLost).once('close', recvLost);
    const session = http2.connect('http://endpoint.invalid', {
      createConnection: () => connected.stream,
      maxSessionMemory: 64,
      settings: { enablePush: false, initialWindowSize: 1024 * 1024, maxHeaderListSize: this.#options.maxHeaderBytes },
    });
    const member: Member = { endpoint, session, open, streams: 0, retired: false, lastUsedMs: this.#deps.clock.monotonicMs() };
    this.#adopt(key, member);
    return { kind: 'session', member };
  }

  #adopt(key: string, member: Member): void {
    const members = this.#members.get(key) ?? new Set();
    this.#members.set(key, members);
    members.add(member);
    const retire = (): void => void (member.retired = true);
    member.session.on('goaway', retire);
    // The streams tell what became of them.
    member.session.on('error', retire);
    member.session.on('close', () => {
      retire();
      members.delete(member);
      if (members.size === 0 && this.#members.get(key) === members) this.#members.delete(key);
    });
    this.#closeWhenIdle(member);
  }

  #closeWhenIdle(member: Member): void {
    const { clock } = this.#deps;
    const cancel = clock.after(this.#options.idleMs, () => {
      const idle = member.streams === 0 && clock.monotonicMs() - member.lastUsedMs >= this.#options.idleMs;
      member.session.off('close', cancel);
      if (idle) member.session.close();
      else if (!member.session.closed) this.#closeWhenIdle(member);
    });
    member.session.once('close', cancel);
  }

  #exchange(
    member: Member,
    endpoint: UpstreamEndpoint,
    request: UpstreamRequest,
    body: UpstreamBody,
    signal: LightSignal,
  ): Promise<AttemptOutcome> {
    const release = (stream?: ClientHttp2Stream): void => {
      if (stream !== undefined) member.open.delete(stream);
      member.streams -= 1;
      member.lastUsedMs = this.#deps.clock.monotonicMs();
      closeIfDone(member);
    };
    try {
      // A real one: what Node aborts by itself it resets with CANCEL, and with INTERNAL_ERROR what is destroyed otherwise.
      const abort = new AbortController();
      const recvAbort = (): void => abort.abort(signal.reason);
      const stream = member.session.request(headersOf(request), { endStream: body === undefined, signal: abort.signal });
      signal.addEventListener('abort', recvAbort, { once: true });
      member.open.add(stream);
      stream.once('close', () => {
        signal.removeEventListener('abort', recvAbort);
        release(stream);
      });
      return answerOf(stream, endpoint.name, body);
    } catch (thrown) {
      release();
      // A session that ended between two turns of the loop: nothing was sent.
      return Promise.resolve({ kind: 'failed', failure: failureOf(thrown, 'queued', endpoint.name) });
    }
  }
}

/** The session goes on being made for whoever else waits. */
function unlessAborted(opening: Promise<Opened>, signal: LightSignal): Promise<Opened | undefined> {
  if (signal.aborted) return Promise.resolve(undefined);
  return new Promise((resolve, reject) => {
    const recvAbort = (): void => resolve(undefined);
    signal.addEventListener('abort', recvAbort, { once: true });
    opening.finally(() => signal.removeEventListener('abort', recvAbort)).then(resolve, reject);
  });
}

/** S5: nobody takes a stream of a retired session any more. */
function closeIfDone(member: Member): void {
  if (!member.retired || member.streams > 0) return;
  setImmediate(() => {
    if (!member.session.closed && !member.session.destroyed) member.session.close();
  });
}

function freest(members: ReadonlySet<Member>, maxStreams: number): Member | undefined {
  let found: Member | undefined;
  for (const member of members) {
    const limit = Math.min(maxStreams, member.session.remoteSettings?.maxConcurrentStreams ?? maxStreams);
    if (member.retired || member.session.destroyed || member.session.closed || member.streams >= limit) continue;
    if (found === undefined || member.streams < found.streams) found = member;
  }
  return found;
}

function answerOf(stream: ClientHttp2Stream, name: string, body: UpstreamBody): Promise<AttemptOutcome> {
  const { promise, resolve } = Promise.withResolvers<AttemptOutcome>();
  let progress: Progress = stream.pending ? 'queued' : 'sent';
  let trailers: UpstreamHeaders = {};
  let error: unknown;
  stream.once('ready', () => (progress = progress === 'queued' ? 'sent' : progress));
  stream.on('error', (thrown) => (error = thrown));
  stream.on('trailers', (headers) => (trailers = plain(headers)));
  stream.on('response', (headers) => {
    progress = 'answered';
    const status = headers[':status'] ?? 502;
    resolve({ kind: 'answer', answer: { status, headers: plain(headers), body: stream, trailers: () => trailers } });
  });
  stream.once('close', () => {
    if (progress === 'answered') return;
    const detail = error instanceof Error ? error.message : `reset with code ${stream.rstCode}`;
    const failure =
      stream.rstCode !== 0 && stream.rstCode !== undefined
        ? { kind: kindOfReset(stream.rstCode, progress), detail: `endpoint ${name}: ${detail}` }
        : failureOf(error ?? new Error('the stream ended without an answer'), progress, name);
    resolve({ kind: 'failed', failure });
  });
  if (body instanceof Uint8Array) stream.end(body);
  // The stream's own end says what became of it; a body that broke ends the stream with it.
  else if (body !== undefined) pipeline(body, stream, ignore);
  return promise;
}

function headersOf({ method, path, authority, headers }: UpstreamRequest): OutgoingHttpHeaders {
  return {
    ':method': method,
    ':path': path,
    ':scheme': 'http',
    ':authority': authority,
    ...(headers as OutgoingHttpHeaders),
  };
}

/** Without pseudo headers. */
function plain(headers: IncomingHttpHeaders): UpstreamHeaders {
  const found: Record<string, string | readonly string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !name.startsWith(':')) found[name] = value;
  }
  return found;
}

function ignore(): void {}
