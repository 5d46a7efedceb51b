/**
 * The answer to one request that undici carries, as one outcome: an answer, another protocol, or what failed.
 *
 * An answer that came in one piece is handed over in one piece: most are small, and streams for them cost more than all
 * that is decided about them (`npm run bench -- waypoint`).
 */
import { Readable } from 'node:stream';
import type { IncomingHttpHeaders } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { AnswerBody } from '../exchange/answer-body.ts';
import type { LightSignal } from '../exchange/light-signal.ts';
import type { AttemptOutcome, UpstreamHeaders } from './upstream.ts';
import { UpstreamError, failureOf } from './wire-failure.ts';
import type { Progress } from './wire-failure.ts';

/** An upgrade that the endpoint accepted: from here on bytes, not requests. */
export type UpgradeOutcome =
  | { readonly kind: 'upgraded'; readonly headers: UpstreamHeaders; readonly stream: Duplex }
  | AttemptOutcome;

type Head = { readonly status: number; readonly headers: UpstreamHeaders };
type Held = { readonly chunks: Buffer[]; bytes: number };

/** Bytes of a body that are kept for its end; as much as is read from a connection at once. */
const maxHeldBytes = 64 * 1024;
const empty = Buffer.alloc(0);

/** One request on its way through undici. */
export class AnswerHandler implements Dispatcher.DispatchHandler {
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

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200) return;
    this.#progress = 'answered';
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

function abortError(signal: LightSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error('aborted');
}

function ignore(): void {}
