/**
 * A waypoint of the test, as far as tunnels go: takes HBONE with an identity of its own, and for each CONNECT makes one
 * of its own to the endpoint it was told, on behalf of who called.
 */
import { pipeline } from 'node:stream/promises';
import { Drain } from '@clearmesh/shared/lifecycle/drain';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { spiffeId } from '@clearmesh/shared/identity/spiffe';
import type { Workload } from '@clearmesh/shared/model/workload';
import { identity, ip, socketAddress } from '@clearmesh/shared/testing/builders';
import { TunnelAcceptor } from '@clearmesh/shared/tunnel/acceptor';
import type { AcceptedPeer } from '@clearmesh/shared/tunnel/acceptor';
import type { DialOutcome } from '@clearmesh/shared/tunnel/dialer';
import type { ConnectHeaders, IncomingConnect, RefusalStatus } from '@clearmesh/shared/tunnel/engine';
import { PooledDialer } from '@clearmesh/shared/tunnel/pooled-dialer';
import { listenSocket } from '@clearmesh/linux/listen-socket';
import { PodListener } from '../../src/capture/pod-listener.ts';
import { serverIp } from './mesh-bed.ts';
import type { MeshBed } from './mesh-bed.ts';

export class WaypointPeer implements AsyncDisposable {
  /** Requests taken, in order. */
  readonly requests: { readonly incoming: IncomingConnect; readonly peer: AcceptedPeer }[] = [];
  /** `ip:port` of the endpoint that every request goes on to. */
  endpoint = `${serverIp}:1`;
  /** What it answers instead of going on. */
  refusal: RefusalStatus | undefined;
  /** What it tells the endpoint's proxy. @default the proven caller */
  headers: (peer: AcceptedPeer) => ConnectHeaders = ({ identity: caller }) => ({ caller });
  readonly workload: Workload;
  readonly #acceptor: TunnelAcceptor;
  readonly #dialer: PooledDialer;
  readonly #drain = new Drain({ clock: systemClock });
  readonly #listener: PodListener;
  readonly #bed: MeshBed;

  constructor(workload: Workload, bed: MeshBed) {
    this.workload = workload;
    this.#bed = bed;
    const address = workload.addresses[0] ?? '';
    const { engine, certificates } = bed;
    const shared = { engine, certificates, clock: systemClock, logger: silentLogger };
    this.#dialer = new PooledDialer({}, { ...shared, connect: (target) => bed.dial(target, address) });
    this.#acceptor = new TunnelAcceptor(
      { identity: spiffeId(workload), trustDomain: workload.trustDomain },
      { ...shared, drain: this.#drain, onConnect: (incoming, peer) => void this.#carry(incoming, peer), onFailure: () => {} },
    );
    this.#listener = new PodListener(
      { ip: address, port: 0, allowHalfOpen: false },
      { listen: listenSocket, onAccept: ({ socket }) => this.#acceptor.accept(socket), logger: silentLogger },
    );
    bed.ports.set(`${address}:15008`, this.#listener.port ?? 0);
  }

  /** A CONNECT to the endpoint with whatever headers. */
  ask(headers: ConnectHeaders, authority: string = this.endpoint, signal?: AbortSignal): Promise<DialOutcome> {
    return dialServer(this.#dialer, this.workload, authority, headers, signal);
  }

  /** Takes no new connection any more, and lets old ones finish. */
  retire(): void {
    this.#listener.close();
    this.#drain.begin(60_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.#bed.ports.delete(`${this.workload.addresses[0] ?? ''}:15008`);
    await Promise.all([this.#dialer[Symbol.asyncDispose](), this.#acceptor[Symbol.asyncDispose]()]);
  }

  async #carry(incoming: IncomingConnect, peer: AcceptedPeer): Promise<void> {
    this.requests.push({ incoming, peer });
    if (this.refusal !== undefined) return incoming.refuse(this.refusal);
    const outcome = await this.ask(this.headers(peer));
    if (outcome.kind !== 'open') return incoming.refuse(503);
    const near = incoming.accept({});
    await Promise.allSettled([pipeline(near, outcome.stream), pipeline(outcome.stream, near)]);
  }
}

/** A CONNECT to the server's proxy as a workload and with headers of one's choice. */
export function dialServer(
  dialer: PooledDialer,
  as: Workload,
  authority: string,
  headers: ConnectHeaders,
  signal: AbortSignal = new AbortController().signal,
): Promise<DialOutcome> {
  const target = {
    sourceIdentity: spiffeId(as),
    acceptedPeers: [identity('bank', 'server-sa')],
    address: socketAddress(`${serverIp}:15008`),
    sourceIp: ip(as.addresses[0] ?? ''),
  };
  return dialer.dial(target, { authority, headers }, signal);
}
