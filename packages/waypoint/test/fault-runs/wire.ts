/** The two ways a request reaches the ledger, HTTP/1.1 and HTTP/2, with every way to treat it badly. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { constants } from 'node:http2';
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { LedgerAnswer } from './journal.ts';

export interface Wire {
  /** Names are lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** `undefined`: it broke off. @param slow reads in small steps */
  body(slow: boolean): Promise<Buffer | undefined>;
  answer(answer: LedgerAnswer, headers?: Readonly<Record<string, string>>): void;
  /** Answers, and leaves the connection at once without having said so. */
  answerAndClose(answer: LedgerAnswer): void;
  /** Ends the exchange without an answer. */
  die(): void;
  halfHead(): void;
  halfBody(answer: LedgerAnswer, announced: boolean): void;
  /** Bytes that are no answer. */
  malformed(): void;
  /** Says by protocol that it did not take the request; false where the protocol has no such word. */
  refuse(how: 'refused-stream' | 'goaway'): boolean;
}

export class Http1Wire implements Wire {
  readonly headers: IncomingHttpHeaders;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.headers = request.headers;
    this.#request = request;
    this.#response = response;
    request.on('error', ignore);
    response.on('error', ignore);
  }

  async body(slow: boolean): Promise<Buffer | undefined> {
    const body = await collect(this.#request, slow);
    // `complete` alone means that it has arrived, not that it could be read.
    return this.#request.complete && this.#request.readableEnded ? body : undefined;
  }

  answer({ status, body }: LedgerAnswer, headers: Readonly<Record<string, string>> = {}): void {
    this.#response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
  }

  answerAndClose(answer: LedgerAnswer): void {
    const { socket } = this.#request;
    this.#response.once('finish', () => socket.destroy());
    this.answer(answer, { connection: 'keep-alive' });
  }

  die(): void {
    this.#request.socket.resetAndDestroy();
  }

  halfHead(): void {
    this.#request.socket.end('HTTP/1.1 201 Created\r\ncontent-type: applic');
  }

  halfBody({ status, body }: LedgerAnswer, announced: boolean): void {
    const half = body.slice(0, Math.ceil(body.length / 2));
    const framing = announced
      ? `content-length: ${body.length}\r\n\r\n${half}`
      : `transfer-encoding: chunked\r\n\r\n${half.length.toString(16)}\r\n${half}\r\n`;
    this.#request.socket.end(`HTTP/1.1 ${status} Half\r\ncontent-type: application/json\r\n${framing}`);
  }

  malformed(): void {
    this.#request.socket.end('HTP/1.1 2O1 Booked\r\n\r\n');
  }

  refuse(): boolean {
    return false;
  }
}

/** Of one HTTP/2 connection: what its replica said it would not take. */
export type Http2Line = { readonly socket: Socket; refusedAbove: number };

export class Http2Wire implements Wire {
  readonly headers: IncomingHttpHeaders;
  readonly #stream: ServerHttp2Stream;
  readonly #line: Http2Line;
  /** The id, which a stream loses with its end. */
  readonly #id: number;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, line: Http2Line) {
    this.headers = headers;
    this.#stream = stream;
    this.#line = line;
    this.#id = stream.id ?? 0;
    stream.on('error', ignore);
  }

  /** It came after a GOAWAY that excludes it. */
  get excluded(): boolean {
    return this.#id > this.#line.refusedAbove;
  }

  async body(slow: boolean): Promise<Buffer | undefined> {
    const body = await collect(this.#stream, slow);
    return this.#stream.aborted || this.#stream.rstCode > 0 || !this.#stream.readableEnded ? undefined : body;
  }

  answer({ status, body }: LedgerAnswer, headers: Readonly<Record<string, string>> = {}): void {
    if (this.#stream.destroyed || this.#stream.headersSent) return;
    this.#stream.respond({ ':status': status, 'content-type': 'application/json', ...headers });
    this.#stream.end(body);
  }

  answerAndClose(answer: LedgerAnswer): void {
    this.#stream.once('close', () => this.#line.socket.destroy());
    this.answer(answer);
  }

  die(): void {
    // Not resetAndDestroy: a handle that a session has consumed is then never closed, and the process never ends.
    if (this.#id % 4 === 1) this.#line.socket.destroy();
    else this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }

  /** Frames are whole or not at all: a HEADERS frame that is cut off by the end of the connection. */
  halfHead(): void {
    this.#line.socket.end(frame(40, 1, 4, this.#id, Buffer.of(0x88, 0x5f)));
  }

  halfBody({ status, body }: LedgerAnswer, announced: boolean): void {
    if (this.#stream.destroyed) return;
    const length = announced ? { 'content-length': String(body.length) } : {};
    this.#stream.respond({ ':status': status, 'content-type': 'application/json', ...length });
    this.#stream.write(body.slice(0, Math.ceil(body.length / 2)), () => this.#stream.close(constants.NGHTTP2_CANCEL));
  }

  /** RFC 9113 section 6.1: DATA before HEADERS is a connection error. */
  malformed(): void {
    this.#line.socket.write(frame(4, 0, 0, this.#id, Buffer.from('oops')));
  }

  refuse(how: 'refused-stream' | 'goaway'): boolean {
    if (how === 'refused-stream') {
      this.#stream.close(constants.NGHTTP2_REFUSED_STREAM);
      return true;
    }
    // By hand: Node cannot say that it took no stream at all, nor exclude one that it already announced.
    const last = Math.max(0, this.#id - 2);
    this.#line.refusedAbove = Math.min(this.#line.refusedAbove, last);
    const payload = Buffer.alloc(8);
    payload.writeUInt32BE(last);
    this.#line.socket.write(frame(8, 7, 0, 0, payload));
    return true;
  }
}

/** RFC 9113 section 4.1. @param length as announced */
function frame(length: number, type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** Everything that comes until the stream ends, however it does. */
function collect(source: Readable, slow: boolean): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let timer: NodeJS.Timeout | undefined;
    const finish = (): void => {
      clearTimeout(timer);
      resolve(Buffer.concat(chunks));
    };
    source.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      if (!slow) return;
      source.pause();
      timer = setTimeout(() => source.resume(), 8);
    });
    source.once('end', finish).once('close', finish).once('error', finish).once('aborted', finish);
    if (source.destroyed) finish();
  });
}

function ignore(): void {}
