/**
 * The HBONE listener: mutual TLS and CONNECT by the same engine as the node proxy, then inner protocols.
 *
 *   CONNECT ─▶ method, authority, bound? ─ 400 | 503
 *           ─▶ 200 ─▶ declared or sniffed ─▶ HTTP front | opaque path
 *
 * H1  Whoever has an identity of the trust domain may connect; what may be called is decided for each request.
 * H2  Declared HTTP that is none is broken off; undeclared bytes that are none are carried as they are.
 * H3  The caller's proxy may have heard of a binding a moment earlier: what is not bound is waited for, up to a second.
 * H4  A stream of HTTP that its peer reset is over at once, with whatever was not read yet: a caller that is gone must be
 *     noticed behind a body that nobody takes. Bytes that are no HTTP are delivered first.
 */
import net from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { Snapshot, SnapshotSource } from '@clearmesh/shared/snapshot/snapshot';
import type { SnapshotWaits } from '@clearmesh/shared/snapshot/snapshot-waits';
import type { AcceptedPeer } from '@clearmesh/shared/tunnel/acceptor';
import type { IncomingConnect } from '@clearmesh/shared/tunnel/engine';
import { parseForwarded } from '@clearmesh/shared/wire/forwarded';
import { isFromElsewhere, workloadOfBaggage } from '@clearmesh/shared/wire/peer-baggage';
import type { Caller } from '../exchange/request-facts.ts';
import { connectTarget } from './connect-target.ts';
import type { Bindings, ConnectRefusal, ConnectTarget } from './connect-target.ts';
import type { Conversation } from './conversation.ts';
import type { HttpFront } from './http-front.ts';
import { sniffStream } from './sniff.ts';
import type { InnerProtocol } from './sniff.ts';

export type TunnelStreamsOptions = {
  readonly network: string;
  /** Time for the first bytes of a stream whose protocol is not declared, milliseconds. @default 5 000 */
  readonly sniffMs?: number;
};

export type TunnelStreamsDeps = {
  readonly snapshots: SnapshotSource;
  readonly bindings: () => Bindings;
  /** Waits for snapshots and configurations alike. */
  readonly waits: SnapshotWaits;
  readonly front: Pick<HttpFront, 'adopt'>;
  /** Carries bytes that are no HTTP to their end; never rejects. */
  readonly opaque: (stream: Duplex, conversation: Conversation) => void;
  /** Counts and logs a CONNECT that was not served. */
  readonly onRefused: (reason: string, peer: AcceptedPeer) => void;
  readonly clock: Clock;
  readonly logger: Logger;
};

/** Answers CONNECTs and sorts their streams by protocol. */
export class TunnelStreams {
  readonly #options: TunnelStreamsOptions;
  readonly #deps: TunnelStreamsDeps;
  #open = 0;

  constructor(options: TunnelStreamsOptions, deps: TunnelStreamsDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Streams taken and not yet closed, whatever they carry. */
  get open(): number {
    return this.#open;
  }

  /** Serves one CONNECT; never throws. */
  recvConnect(incoming: IncomingConnect, peer: AcceptedPeer): void {
    if (incoming.method !== 'CONNECT')
      return this.#refuse(incoming, peer, 400, `expected method CONNECT, got ${incoming.method.slice(0, 50)}`);
    const target = this.#targetOf(incoming, this.#deps.snapshots.current);
    if (target.kind === 'target') this.#serve(incoming, peer, target);
    else if (target.status === 421) void this.#await(incoming, peer, target.reason);
    else this.#refuse(incoming, peer, target.status, target.reason);
  }

  /** H3. */
  async #await(incoming: IncomingConnect, peer: AcceptedPeer, reason: string): Promise<void> {
    const target = await this.#deps.waits.until((snapshot) => {
      const found = this.#targetOf(incoming, snapshot);
      return found.kind === 'target' ? found : undefined;
    }, incoming.gone);
    if (target === undefined) this.#refuse(incoming, peer, 421, reason);
    else this.#serve(incoming, peer, target);
  }

  #targetOf({ authority }: IncomingConnect, snapshot: Snapshot): ConnectTarget | ConnectRefusal {
    return connectTarget(authority, snapshot, this.#deps.bindings(), this.#options.network);
  }

  #serve(incoming: IncomingConnect, peer: AcceptedPeer, target: ConnectTarget): void {
    const stream = incoming.accept({});
    // What breaks is told by whoever reads or writes; between two owners nobody may be listening.
    stream.on('error', ignore);
    this.#open++;
    stream.once('close', () => this.#open--);
    void this.#carry(stream, conversationOf(incoming, peer, target, this.#options.network));
  }

  async #carry(stream: Duplex, conversation: Conversation): Promise<void> {
    const protocol = await this.#innerProtocol(stream, conversation);
    if (stream.destroyed) return;
    if (protocol !== 'opaque') {
      // H4.
      stream.once('aborted', () => setImmediate(() => stream.destroy()));
      return this.#deps.front.adopt(stream, protocol, conversation);
    }
    if (isHttp(conversation)) {
      this.#deps.logger.debug('declared HTTP is none', { service: conversation.called.key, port: conversation.called.port });
      return void stream.destroy();
    }
    this.#deps.opaque(stream, conversation);
  }

  #innerProtocol(stream: Duplex, { declared }: Conversation): Promise<InnerProtocol> | InnerProtocol {
    if (declared === 'TCP' || declared === 'TLS') return 'opaque';
    const { sniffMs } = this.#options;
    return sniffStream(stream, sniffMs === undefined ? {} : { withinMs: sniffMs }, this.#deps);
  }

  #refuse(incoming: IncomingConnect, peer: AcceptedPeer, status: 400 | 421 | 503, reason: string): void {
    incoming.refuse(status);
    this.#deps.onRefused(reason, peer);
  }
}

/** A plain TCP listener that hands its connections on; resolves once it listens. */
export function listen(
  options: { readonly port: number; readonly host: string },
  onSocket: (socket: net.Socket) => void,
): Promise<net.Server> {
  return new Promise((resolve, reject) => {
    const server = net.createServer({ noDelay: true }, onSocket);
    server.once('error', reject);
    server.listen({ ...options, backlog: 511 }, () => {
      server.off('error', reject);
      resolve(server);
    });
  });
}

function conversationOf(incoming: IncomingConnect, peer: AcceptedPeer, target: ConnectTarget, network: string): Conversation {
  const client = clientOf(incoming.headers.forwarded);
  const { traceparent } = incoming.headers;
  return {
    caller: {
      identity: peer.identity,
      address: peer.remote,
      tls: peer.tls,
      ...(client === undefined ? {} : { client }),
      ...elsewhereOf(incoming, network),
    },
    called: target.called,
    declared: target.protocol,
    ...(target.workload === undefined ? {} : { workload: target.workload.uid }),
    ...(traceparent === undefined ? {} : { traceparent }),
  };
}

/** Characters of `baggage` that are read and passed on; upstream's has some 300. */
const maxBaggage = 8_192;

/** Once for all requests of the stream, so that they count as one source's. */
function elsewhereOf({ headers: { xForwardedNetwork, baggage } }: IncomingConnect, network: string): Pick<Caller, 'elsewhere'> {
  if (!isFromElsewhere(xForwardedNetwork, network)) return {};
  if (baggage === undefined || baggage.length > maxBaggage) return { elsewhere: {} };
  const workload = workloadOfBaggage(baggage);
  return { elsewhere: { baggage, ...(workload === undefined ? {} : { workload }) } };
}

/** Telemetry only. */
function clientOf(forwarded: string | undefined): Conversation['caller']['client'] {
  return forwarded === undefined ? undefined : parseForwarded(forwarded).client;
}

function isHttp({ declared }: Conversation): boolean {
  return declared === 'HTTP11' || declared === 'HTTP2' || declared === 'GRPC';
}

function ignore(): void {}
