/**
 * Calls to the API server. Which server, whose authority and which credentials is the kubeconfig's; how long a call may
 * take and what its answer is, is decided here.
 *
 * K1  Every call ends: by its answer, its time limit, or the caller's signal.
 * K2  What comes back is bounded; a list is asked for in pages (see list.ts).
 */
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { RequestOptions } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { Deadline } from '@clearmesh/shared/lifecycle/deadline';
import { refusal } from './api-answer.ts';
import type { ApiAnswer, ApiFailure, Refusal } from './api-answer.ts';

export type ApiCall = {
  /** @default GET */
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** From the server's root, such as `/api/v1/pods`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** @default application/json */
  readonly contentType?: string;
  /** Milliseconds for the whole call. @default 30 000 */
  readonly timeoutMs?: number;
};

/** An answer that goes on, such as a watch; whoever gets it reads or destroys it. */
export type ApiStream = { readonly kind: 'open'; readonly body: IncomingMessage } | ApiFailure;

export type ApiClientOptions = {
  /** Calls under way at a time, watches not counted; more wait. @default 16 */
  readonly maxSockets?: number;
  /** Bytes of one answer. @default 128 MiB */
  readonly maxAnswerBytes?: number;
};

type Deps = { readonly kubeConfig: KubeConfig; readonly clock: Clock };

const userAgent = 'clearmesh-control-plane';
/** Milliseconds of silence after which the kernel asks whether the server is still there. */
const keepAliveMs = 15_000;

export class ApiClient implements Disposable {
  readonly #options: ApiClientOptions;
  readonly #clock: Clock;
  readonly #agents: { readonly http: HttpAgent; readonly https: HttpsAgent };
  /** For what this client does not do. */
  readonly kubeConfig: KubeConfig;

  constructor(options: ApiClientOptions, deps: Deps) {
    this.#options = options;
    this.#clock = deps.clock;
    this.kubeConfig = deps.kubeConfig;
    // The kubeconfig's own agent opens a connection for each call.
    const kept = { keepAlive: true, maxSockets: options.maxSockets ?? 16 };
    this.#agents = { http: new HttpAgent(kept), https: new HttpsAgent(kept) };
  }

  /** One call and its whole answer. Rejects only when `signal` aborts. */
  async call<T = unknown>(call: ApiCall, signal: AbortSignal): Promise<ApiAnswer<T>> {
    using deadline = this.#deadline(call);
    try {
      const response = await this.#respond(call, deadline.within(signal), true);
      const text = await readText(response, this.#options.maxAnswerBytes ?? 128 * 1024 * 1024);
      const status = response.statusCode ?? 0;
      if (status < 200 || status > 299) return refusal(status, text, response.headers['retry-after']);
      return { kind: 'ok', body: (text === '' ? undefined : JSON.parse(text)) as T };
    } catch (error) {
      signal.throwIfAborted();
      return { kind: 'unreachable', message: textOf(deadline.passed ? deadline.signal.reason : error) };
    }
  }

  /** An answer that is read while it comes; the time limit is for its first byte. Rejects only when `signal` aborts. */
  async open(call: ApiCall, signal: AbortSignal): Promise<ApiStream> {
    using deadline = this.#deadline(call);
    try {
      const response = await this.#respond(call, deadline.within(signal), false);
      if (response.statusCode === 200) return { kind: 'open', body: response };
      return await this.#refused(response);
    } catch (error) {
      signal.throwIfAborted();
      return { kind: 'unreachable', message: textOf(deadline.passed ? deadline.signal.reason : error) };
    }
  }

  [Symbol.dispose](): void {
    this.#agents.http.destroy();
    this.#agents.https.destroy();
  }

  #deadline({ timeoutMs: limitMs = 30_000 }: ApiCall): Deadline {
    return new Deadline({ limitMs }, { clock: this.#clock });
  }

  async #refused(response: IncomingMessage): Promise<Refusal> {
    return refusal(response.statusCode ?? 0, await readText(response, 1024 * 1024), response.headers['retry-after']);
  }

  async #respond(call: ApiCall, signal: AbortSignal, pooled: boolean): Promise<IncomingMessage> {
    const cluster = this.kubeConfig.getCurrentCluster();
    if (cluster === null) throw new Error('the kubeconfig names no cluster');
    const url = new URL(cluster.server.replace(/\/$/, '') + call.path);
    for (const [name, value] of Object.entries(call.query ?? {})) url.searchParams.set(name, value);
    const body = call.body === undefined ? undefined : JSON.stringify(call.body);
    const options = await this.#requestOptions(call, body, cluster.proxyUrl !== undefined, url.protocol === 'https:', pooled);
    signal.throwIfAborted();
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    return answered(send(url, { ...options, signal }), body);
  }

  async #requestOptions(
    call: ApiCall,
    body: string | undefined,
    proxied: boolean,
    secure: boolean,
    pooled: boolean,
  ): Promise<RequestOptions> {
    const options: RequestOptions = { headers: {} };
    await this.kubeConfig.applyToHTTPSOptions(options);
    const own = secure ? this.#agents.https : this.#agents.http;
    return {
      ...options,
      method: call.method ?? 'GET',
      // A watch holds its connection for minutes, and must not use up those for calls.
      agent: proxied ? options.agent : pooled ? own : false,
      headers: {
        ...(options.headers as Readonly<Record<string, string>> | undefined),
        accept: 'application/json',
        'user-agent': userAgent,
        ...(body === undefined
          ? {}
          : { 'content-type': call.contentType ?? 'application/json', 'content-length': Buffer.byteLength(body) }),
      },
    };
  }
}

function answered(request: ClientRequest, body: string | undefined): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  request.once('socket', (socket) => socket.setKeepAlive(true, keepAliveMs));
  request.once('response', resolve);
  // Stays: an error after the answer began comes to the answer too, and one nobody hears would end the process.
  request.on('error', reject);
  request.end(body);
  return promise;
}

async function readText(response: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBytes) throw new Error(`the answer is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // A refused connection to a name of two addresses has its message in its parts only.
  const [first] = error instanceof AggregateError ? (error.errors as unknown[]) : [];
  return first instanceof Error ? first.message : error.message;
}
