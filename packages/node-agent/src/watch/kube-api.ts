/** The little of the Kubernetes API that the agent uses, over node's own HTTP: get, watch, merge patch. */
import { request as requestHttp } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { RequestOptions } from 'node:https';
import { createInterface } from 'node:readline';
import type { KubeConfig } from '@kubernetes/client-node';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';

export type WatchEvent = { readonly type: string; readonly object: unknown };

export interface KubeApi {
  /** The object at a path; rejects with a {@link KubeFailure}, or with the signal's reason. */
  get(path: string, signal: AbortSignal): Promise<unknown>;
  /** Events until the server ends the stream. */
  watch(path: string, signal: AbortSignal): AsyncIterable<WatchEvent>;
  mergePatch(path: string, patch: unknown, signal: AbortSignal): Promise<void>;
}

/** What went wrong: the server's answer, or none (`status` undefined). */
export class KubeFailure extends Error {
  override readonly name = 'KubeFailure';
  readonly status: number | undefined;

  constructor(message: string, status?: number) {
    super(message);
    this.status = status;
  }
}

/** More than a list of 500 pods has. */
const maxAnswerBytes = 64 * 1024 * 1024;

type Call = { readonly method: 'GET' | 'PATCH'; readonly path: string; readonly body?: string };

/** The API of the cluster that a configuration names. */
export class HttpKubeApi implements KubeApi {
  readonly #config: KubeConfig;
  readonly #server: URL;

  /** Throws MESH-CONFIG-003 for a configuration without a cluster. */
  constructor(config: KubeConfig) {
    this.#config = config;
    const server = config.getCurrentCluster()?.server;
    if (server === undefined || !URL.canParse(server)) {
      throw new MeshError('MESH-CONFIG-003', {
        message: `the Kubernetes configuration names no usable server (${server ?? 'none'})`,
        hint: 'Run in a pod with a service account, or give --kubeconfig.',
      });
    }
    this.#server = new URL(server);
  }

  async get(path: string, signal: AbortSignal): Promise<unknown> {
    return JSON.parse(await this.#answer({ method: 'GET', path }, signal));
  }

  async mergePatch(path: string, patch: unknown, signal: AbortSignal): Promise<void> {
    await this.#answer({ method: 'PATCH', path, body: JSON.stringify(patch) }, signal);
  }

  async *watch(path: string, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    const response = await this.#send({ method: 'GET', path }, signal);
    if (response.statusCode !== 200) throw failureOf(path, response.statusCode ?? 0, await textOf(response));
    try {
      for await (const line of createInterface({ input: response })) if (line !== '') yield JSON.parse(line) as WatchEvent;
    } finally {
      response.destroy();
    }
  }

  async #answer(call: Call, signal: AbortSignal): Promise<string> {
    const response = await this.#send(call, signal);
    const text = await textOf(response);
    const { statusCode = 0 } = response;
    if (statusCode < 200 || statusCode > 299) throw failureOf(call.path, statusCode, text);
    return text;
  }

  async #send({ method, path, body }: Call, signal: AbortSignal): Promise<IncomingMessage> {
    const options: RequestOptions = { method, signal, headers: { accept: 'application/json' } };
    // Each time anew: the token of a service account is renewed in its file.
    await this.#config.applyToHTTPSOptions(options);
    if (body !== undefined) {
      const headers = { 'content-type': 'application/merge-patch+json', 'content-length': Buffer.byteLength(body) };
      options.headers = { ...(options.headers as Record<string, string>), ...headers };
    }
    const url = new URL(`${this.#server.pathname.replace(/\/$/, '')}${path}`, this.#server);
    const request = url.protocol === 'http:' ? requestHttp : requestHttps;
    return new Promise((resolve, reject) => {
      const sent = request(url, options, resolve);
      sent.on('error', (error) => reject(signal.aborted ? signal.reason : new KubeFailure(`${url.origin}: ${error.message}`)));
      sent.end(body);
    });
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  response.setEncoding('utf8');
  for await (const part of response) {
    text += String(part);
    if (text.length > maxAnswerBytes) throw new KubeFailure(`an answer is longer than ${maxAnswerBytes} bytes`);
  }
  return text;
}

/** The server explains itself in a Status object. */
function failureOf(path: string, status: number, text: string): KubeFailure {
  return new KubeFailure(`${path.split('?', 1)[0]}: ${messageOf(text)} (${status})`, status);
}

function messageOf(text: string): string {
  try {
    const { message } = JSON.parse(text) as { readonly message?: unknown };
    if (typeof message === 'string') return message;
  } catch {
    // Not of the API server itself: a proxy's page.
  }
  return text.slice(0, 200);
}
