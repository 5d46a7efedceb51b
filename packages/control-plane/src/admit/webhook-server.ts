/**
 * HTTPS for the API server's questions: `POST /validate`, an AdmissionReview each.
 * It asks before it stores, so that an answer may take no longer than a check does: nothing here waits for anybody.
 */
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server } from 'node:https';
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { Logger } from '@clearmesh/shared/observe/log';
import { boundAddress } from '../listen/bound-address.ts';
import type { ControlPlaneMetrics } from '../admin/control-plane-metrics.ts';
import type { ServerCredentials } from '../certify/server-certificate.ts';
import type { Verdict } from './review.ts';

export type WebhookServerOptions = {
  readonly listen: SocketAddress;
  /** @default 100 */
  readonly maxConnections?: number;
  /** Of one question: the object as it is, and as it was. @default 8 MiB */
  readonly maxBytes?: number;
};

type Deps = {
  readonly credentials: ServerCredentials;
  readonly review: (question: unknown) => Verdict;
  readonly metrics: Pick<ControlPlaneMetrics, 'admissionReviews'>;
  readonly logger: Logger;
};

export class WebhookServer implements AsyncDisposable {
  readonly #server: Server;
  readonly address: SocketAddress;

  private constructor(server: Server) {
    this.#server = server;
    this.address = boundAddress(server);
  }

  /** MESH-CONFIG-003 when the address cannot be listened on. */
  static async listen(options: WebhookServerOptions, deps: Deps, signal: AbortSignal): Promise<WebhookServer> {
    const maxBytes = options.maxBytes ?? 8 * 1024 * 1024;
    const server = createServer({ ...deps.credentials, minVersion: 'TLSv1.3', handshakeTimeout: 10_000 });
    server.headersTimeout = 5000;
    server.requestTimeout = 10_000;
    server.maxConnections = options.maxConnections ?? 100;
    server.on('request', (request, response) => void answer(request, response, { ...deps, maxBytes }));
    server.on('tlsClientError', (error) => deps.logger.debug('a handshake failed', { error: error.message }));
    try {
      server.listen(options.listen.port, options.listen.ip);
      await once(server, 'listening', { signal });
    } catch (error) {
      server.close();
      throw new MeshError('MESH-CONFIG-003', {
        message: `--webhook: ${formatSocketAddress(options.listen)}: ${error instanceof Error ? error.message : String(error)}`,
        hint: 'Name an address of this machine and a port that is free.',
        cause: error,
      });
    }
    return new WebhookServer(server);
  }

  /** New connections get this certificate. */
  renew(credentials: ServerCredentials): void {
    this.#server.setSecureContext({ ...credentials, minVersion: 'TLSv1.3' });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { review, metrics, maxBytes }: Deps & { readonly maxBytes: number },
): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', 'https://webhook');
  if (pathname !== '/validate') return void response.writeHead(404).end();
  if (request.method !== 'POST') return void response.writeHead(405, { allow: 'POST' }).end();
  const question = await readJson(request, maxBytes);
  if (question.kind === 'cut') return;
  if (question.kind === 'large') return void response.writeHead(413, { connection: 'close' }).end();
  const verdict = question.kind === 'json' ? review(question.value) : { kind: 'malformed' as const };
  metrics.admissionReviews.add({ result: verdict.kind });
  if (verdict.kind === 'malformed') {
    response.writeHead(400, { 'content-type': 'text/plain' });
    return void response.end('write an AdmissionReview of admission.k8s.io/v1\n');
  }
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(verdict.answer));
}

type Body =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'garbage' | 'large' }
  /** The client is gone. */
  | { readonly kind: 'cut' };

async function readJson(request: IncomingMessage, maxBytes: number): Promise<Body> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) return { kind: 'large' };
      chunks.push(chunk);
    }
  } catch {
    return { kind: 'cut' };
  }
  try {
    return { kind: 'json', value: JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown };
  } catch {
    return { kind: 'garbage' };
  }
}
