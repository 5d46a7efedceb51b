/** A waypoint's way to its endpoints, and endpoints for it: servers on loopback that are outside the mesh. */
import { once } from 'node:events';
import type net from 'node:net';
import type { AddressInfo } from 'node:net';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { ip } from '@clearmesh/shared/testing/builders';
import type { WorkloadUid } from '@clearmesh/shared/model/names';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import type { TunnelDialer } from '@clearmesh/shared/tunnel/dialer';
import { WireConnector } from '../../src/forward/wire-connection.ts';
import { WireUpstream } from '../../src/forward/wire-upstream.ts';
import type { AttemptOutcome, UpstreamEndpoint, UpstreamRequest } from '../../src/forward/upstream.ts';

export const caller = 'spiffe://cluster.local/ns/payments/sa/payments' as SpiffeId;
const waypoint = 'spiffe://cluster.local/ns/ledger/sa/waypoint' as SpiffeId;
const noTunnels = {} as TunnelDialer;

export class WireBed implements AsyncDisposable {
  readonly upstream: WireUpstream;
  readonly #stack = new AsyncDisposableStack();

  constructor() {
    const connector = new WireConnector({ identity: waypoint, address: ip('127.0.0.1'), connectMs: 500 }, { dialer: noTunnels });
    const options = { http1: { idleMs: 200 }, http2: { idleMs: 200 } };
    this.upstream = this.#stack.use(new WireUpstream(options, { connector, clock: systemClock }));
  }

  async listening(server: net.Server, protocol: UpstreamEndpoint['protocol']): Promise<UpstreamEndpoint> {
    const sockets = new Set<net.Socket>();
    server.on('connection', (socket) => sockets.add(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.#stack.defer(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    return {
      id: `pod/${port}`,
      workload: 'pod' as WorkloadUid,
      name: 'ledger-0',
      address: { ip: ip('127.0.0.1'), port },
      protocol,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

export function request(changes: Partial<UpstreamRequest> = {}): UpstreamRequest {
  return { method: 'GET', path: '/', authority: 'ledger:8080', headers: {}, caller, ...changes };
}

export function kindOf(outcome: AttemptOutcome): string {
  return outcome.kind === 'failed' ? outcome.failure.kind : `answer ${outcome.answer.status}`;
}
