/** Readiness, metrics and status over plain HTTP, for kubelet, Prometheus and people. */
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { formatSocketAddress, parseIp } from '@clearmesh/shared/model/ip-address';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import { boundAddress } from '../listen/bound-address.ts';
import type { Metrics } from './metrics.ts';

/** Why the process is not ready, or `undefined` when it is. */
export type ReadinessProbe = () => string | undefined;

type Deps = {
  readonly notReady: ReadinessProbe;
  readonly metrics: Metrics;
  /** What `/status` shows, as JSON. */
  readonly status: () => unknown;
};

export class AdminServer implements AsyncDisposable {
  readonly #server: Server;
  readonly address: SocketAddress;

  private constructor(server: Server, address: SocketAddress) {
    this.#server = server;
    this.address = address;
  }

  static async listen(address: SocketAddress, deps: Deps, signal: AbortSignal): Promise<AdminServer> {
    const server = createServer((request, response) => respond(request, response, deps));
    server.headersTimeout = 5000;
    server.requestTimeout = 10_000;
    server.maxConnections = 100;
    try {
      server.listen(address.port, address.ip);
      await once(server, 'listening', { signal });
    } catch (error) {
      throw new MeshError('MESH-CONFIG-003', {
        message: `--admin: ${formatSocketAddress(address)}: ${error instanceof Error ? error.message : String(error)}`,
        hint: 'Name an address of this machine and a port that is free.',
        cause: error,
      });
    }
    return new AdminServer(server, boundAddress(server));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function respond(request: IncomingMessage, response: ServerResponse, deps: Deps): void {
  if (request.method !== 'GET' && request.method !== 'HEAD') return void response.writeHead(405).end();
  if (request.url === '/healthz/ready') {
    const reason = deps.notReady();
    return void response
      .writeHead(reason === undefined ? 200 : 503, { 'content-type': 'text/plain' })
      .end(`${reason ?? 'ready'}\n`);
  }
  if (request.url === '/status') {
    // It names every policy and what is wrong with it, and in a cluster every pod reaches this port.
    if (!isLocal(request.socket.remoteAddress)) return void response.writeHead(403).end('ask from within the pod\n');
    response.writeHead(200, { 'content-type': 'application/json' });
    return void response.end(`${JSON.stringify(deps.status(), undefined, 2)}\n`);
  }
  if (request.url !== '/metrics') return void response.writeHead(404).end();
  response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(deps.metrics.text());
}

function isLocal(address = ''): boolean {
  const ip = parseIp(address);
  return ip !== undefined && (ip === '::1' || ip.startsWith('127.'));
}
