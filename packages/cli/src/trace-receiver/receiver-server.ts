/**
 * A small OTLP receiver for traces over HTTP, protobuf or JSON (OTLP specification, "OTLP/HTTP"), with a window to them:
 *
 *   POST /v1/traces     an export, as it is or in gzip
 *   GET  /traces        summaries, newest first
 *   GET  /traces/<id>   all spans of one trace
 *   GET  /healthz
 */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { decodeJson } from './otlp-json.ts';
import { decodeProtobuf } from './otlp-protobuf.ts';
import type { ReceivedSpan } from './span.ts';
import type { TraceStore } from './trace-store.ts';

export type ReceiverOptions = {
  /** @default 127.0.0.1 */
  readonly host?: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
  /** Of one export, unpacked, bytes. @default 16 MiB */
  readonly maxBytes?: number;
};

type Answer = { readonly status: number; readonly type: string; readonly body: string };

const json = 'application/json';
const protobuf = 'application/x-protobuf';
const unpack = promisify(gunzip);

export class TraceReceiver implements AsyncDisposable {
  readonly #server: Server;
  readonly #store: TraceStore;
  readonly #maxBytes: number;

  private constructor(options: ReceiverOptions, deps: { readonly store: TraceStore }) {
    this.#store = deps.store;
    this.#maxBytes = options.maxBytes ?? 16 * 1024 * 1024;
    this.#server = createServer({ requestTimeout: 30_000, headersTimeout: 5_000 });
    this.#server.maxConnections = 256;
    this.#server.on('request', (request, response) => void this.#recvRequest(request, response));
    this.#server.on('clientError', (_error, socket) => void socket.destroy());
  }

  static async listen(options: ReceiverOptions, deps: { readonly store: TraceStore }): Promise<TraceReceiver> {
    const receiver = new TraceReceiver(options, deps);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    receiver.#server.once('error', reject).listen(options.port, options.host ?? '127.0.0.1', resolve);
    await promise;
    receiver.#server.off('error', reject);
    return receiver;
  }

  /** What to put into OTEL_EXPORTER_OTLP_ENDPOINT. */
  get url(): string {
    // A listening TCP server has an address of this type.
    const { address, family, port } = this.#server.address() as AddressInfo;
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  }

  /** Answers what is under way, and ends. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeIdleConnections();
    const late = setTimeout(() => this.#server.closeAllConnections(), 1_000);
    await promise;
    clearTimeout(late);
  }

  async #recvRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.on('error', () => {});
    response.on('error', () => {});
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    const answer = path === '/v1/traces' ? await this.#recvExport(request) : this.#show(request.method, path);
    const length = Buffer.byteLength(answer.body);
    // A body that was not read to its end cannot be followed by another request.
    const close = request.complete ? {} : { connection: 'close' };
    response.writeHead(answer.status, { 'content-type': answer.type, 'content-length': length, ...close }).end(answer.body);
  }

  async #recvExport(request: IncomingMessage): Promise<Answer> {
    if (request.method !== 'POST') return text(405, 'POST only\n');
    const type = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
    const decode = type === protobuf ? decodeProtobuf : type === json ? decodeText : undefined;
    if (decode === undefined) return text(415, `use ${protobuf} or ${json}\n`);
    const packed = await readBody(request, this.#maxBytes);
    if (packed === undefined) return text(413, `more than ${this.#maxBytes} bytes\n`);
    try {
      const isPacked = request.headers['content-encoding'] === 'gzip';
      this.#store.add(decode(isPacked ? await unpack(packed, { maxOutputLength: this.#maxBytes }) : packed));
    } catch (error) {
      return text(400, `the export cannot be read: ${error instanceof Error ? error.message : String(error)}\n`);
    }
    // An empty ExportTraceServiceResponse: everything was accepted.
    return type === json ? { status: 200, type: json, body: '{}' } : { status: 200, type: protobuf, body: '' };
  }

  #show(method: string | undefined, path: string): Answer {
    if (method !== 'GET' && method !== 'HEAD') return text(405, 'GET only\n');
    if (path === '/healthz') return text(200, 'ok\n');
    if (path === '/traces') return { status: 200, type: json, body: JSON.stringify(this.#store.summaries()) };
    const [, traceId = ''] = /^\/traces\/([0-9a-f]{32})$/.exec(path) ?? [];
    const spans = this.#store.trace(traceId);
    if (spans === undefined) return text(404, 'no such trace is kept\n');
    return { status: 200, type: json, body: JSON.stringify({ traceId, spans }) };
  }
}

function decodeText(bytes: Uint8Array): readonly ReceivedSpan[] {
  return decodeJson(Buffer.from(bytes).toString('utf8'));
}

function text(status: number, body: string): Answer {
  return { status, type: 'text/plain', body };
}

/** `undefined`: too long, or broken off. */
async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxBytes) return undefined;
      chunks.push(chunk);
    }
  } catch {
    return undefined;
  }
  return Buffer.concat(chunks);
}
