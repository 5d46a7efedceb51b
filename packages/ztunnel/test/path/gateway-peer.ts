/**
 * The gateway of a network as far as a test needs one: takes HBONE with an identity of its own, and for each CONNECT
 * passes the bytes of its stream on to where the test says, without a look at them.
 */
import type net from 'node:net';
import { pipeline } from 'node:stream/promises';
import { Drain } from '@clearmesh/shared/lifecycle/drain';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { silentLogger } from '@clearmesh/shared/observe/log';
import type { CertificateSource } from '@clearmesh/shared/certificates/workload-certificate';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import { TunnelAcceptor } from '@clearmesh/shared/tunnel/acceptor';
import type { AcceptedPeer } from '@clearmesh/shared/tunnel/acceptor';
import type { IncomingConnect, RefusalStatus, TunnelEngine } from '@clearmesh/shared/tunnel/engine';

export type GatewayPeerDeps = {
  readonly engine: TunnelEngine;
  readonly certificates: CertificateSource;
  /** Where every request goes on to: port 15008 of a pod of the network. */
  readonly connect: () => Promise<net.Socket>;
};

export class GatewayPeer implements AsyncDisposable {
  /** Requests taken, in order. */
  readonly requests: { readonly incoming: IncomingConnect; readonly peer: AcceptedPeer }[] = [];
  /** What it answers instead of going on. */
  refusal: RefusalStatus | undefined;
  readonly acceptor: TunnelAcceptor;
  readonly #connect: () => Promise<net.Socket>;

  constructor(identity: SpiffeId, { connect, ...deps }: GatewayPeerDeps) {
    this.#connect = connect;
    this.acceptor = new TunnelAcceptor(
      { identity, trustDomain: 'cluster.local' },
      {
        ...deps,
        clock: systemClock,
        logger: silentLogger,
        drain: new Drain({ clock: systemClock }),
        onConnect: (incoming, peer) => void this.#carry(incoming, peer),
        onFailure: () => {},
      },
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.acceptor[Symbol.asyncDispose]();
  }

  async #carry(incoming: IncomingConnect, peer: AcceptedPeer): Promise<void> {
    this.requests.push({ incoming, peer });
    if (this.refusal !== undefined) return incoming.refuse(this.refusal);
    const onward = await this.#connect();
    onward.on('error', () => {});
    const stream = incoming.accept({});
    await Promise.allSettled([pipeline(stream, onward), pipeline(onward, stream)]);
  }
}
