/**
 * One byte stream to an endpoint: HBONE to its ztunnel, or plain TCP where the endpoint is outside the mesh.
 *
 * W1  Inside the mesh the peer must prove the endpoint's exact service account (design decision 3).
 * W2  The caller is told with every tunnel stream, and a stream belongs to one caller only: whoever pools what this
 *     makes, keeps it by {@link connectionKey}.
 */
import net from 'node:net';
import type { Duplex } from 'node:stream';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { IpAddress, SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { DialOutcome, TunnelDialer } from '@clearmesh/shared/tunnel/dialer';
import type { ConnectHeaders } from '@clearmesh/shared/tunnel/engine';
import type { Failure } from '../exchange/failure.ts';
import { remembered } from '@clearmesh/shared/lifecycle/remembered';
import type { UpstreamEndpoint } from './upstream.ts';

/** The endpoint proxy's HBONE port (l4-contract section 1). */
const hbonePort = 15_008;

export type WireConnectionOptions = {
  /** Whom the waypoint is to its peers. */
  readonly identity: SpiffeId;
  /** The waypoint's own address: tunnels are pooled by it. */
  readonly address: IpAddress;
  /** Time for a plain TCP connection, milliseconds. @default 5 000 */
  readonly connectMs?: number;
};

export type WireConnectionDeps = { readonly dialer: TunnelDialer };

export type Connected = { readonly kind: 'connected'; readonly stream: Duplex };
export type NotConnected = { readonly kind: 'failed'; readonly failure: Failure };

/** Makes connections; keeps none. */
export class WireConnector {
  readonly #options: WireConnectionOptions;
  readonly #deps: WireConnectionDeps;

  constructor(options: WireConnectionOptions, deps: WireConnectionDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Never rejects. */
  async connect(
    endpoint: UpstreamEndpoint,
    caller: SpiffeId,
    headers: ConnectHeaders,
    signal: AbortSignal,
  ): Promise<Connected | NotConnected> {
    if (endpoint.identity === undefined) return connectPlain(endpoint.address, this.#options.connectMs ?? 5_000, signal);
    const target = {
      sourceIdentity: this.#options.identity,
      acceptedPeers: [endpoint.identity],
      address: { ip: endpoint.address.ip, port: hbonePort },
      sourceIp: this.#options.address,
    };
    const request = { authority: formatSocketAddress(endpoint.address), headers: { ...headers, caller } };
    return resultOf(endpoint, await this.#deps.dialer.dial(target, request, signal));
  }
}

/** What may be shared: connections to one endpoint on behalf of one caller. */
export function connectionKey(endpoint: UpstreamEndpoint, caller: SpiffeId): string {
  const last = lastKey(endpoint);
  if (last.caller !== caller) {
    last.caller = caller;
    last.key = `${endpoint.id} ${endpoint.identity ?? ''} ${caller}`;
  }
  return last.key;
}

/** Often one caller makes most of the requests. */
const lastKey = remembered((_endpoint: UpstreamEndpoint) => ({ caller: '', key: '' }));

function resultOf(endpoint: UpstreamEndpoint, outcome: DialOutcome): Connected | NotConnected {
  switch (outcome.kind) {
    case 'open':
      return { kind: 'connected', stream: outcome.stream };
    case 'refused':
      return refused(endpoint, outcome.status);
    case 'failed':
      return {
        kind: 'failed',
        failure: { kind: 'connect-failure', detail: `endpoint ${endpoint.name}: ${outcome.error.message}` },
      };
  }
}

/**
 * 401 is a policy of the endpoint, which another endpoint of the service has too; 421 says that we are not its waypoint
 * any more; 503 that the application is not there.
 */
function refused(endpoint: UpstreamEndpoint, status: number): NotConnected {
  const detail = `the proxy of endpoint ${endpoint.name} answered CONNECT ${formatSocketAddress(endpoint.address)} with ${status}`;
  return { kind: 'failed', failure: { kind: status === 401 || status === 421 ? 'endpoint-refused' : 'connect-failure', detail } };
}

function connectPlain(address: SocketAddress, connectMs: number, signal: AbortSignal): Promise<Connected | NotConnected> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: address.ip, port: address.port, noDelay: true, signal });
    socket.setTimeout(connectMs, () => socket.destroy(new Error(`no connection within ${connectMs} ms`)));
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.off('error', recvError);
      // Whoever takes the stream over listens for what comes; between the two nothing may throw.
      socket.on('error', ignore);
      resolve({ kind: 'connected', stream: socket });
    });
    const recvError = (error: Error): void =>
      resolve({
        kind: 'failed',
        failure: { kind: 'connect-failure', detail: `connecting to ${formatSocketAddress(address)} failed: ${error.message}` },
      });
    socket.once('error', recvError);
  });
}

function ignore(): void {}
