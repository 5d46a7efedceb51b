/**
 * Sorts CONNECTs of a gateway that serves other networks: hostnames are passed on, addresses are the waypoint's. So are
 * hostnames of an inner tunnel that was led here, since the same pods may be the waypoint of the service: its header
 * names the caller's network, and an outer one has none (l4-contract section 2.1).
 */
import type { AcceptedPeer } from '@clearmesh/shared/tunnel/acceptor';
import type { IncomingConnect } from '@clearmesh/shared/tunnel/engine';
import { parseAuthority } from '@clearmesh/shared/wire/authority';
import type { Passage } from './passage.ts';

/** What takes CONNECTs, and how many of their streams are open. */
export type ConnectFront = {
  readonly open: number;
  recvConnect(incoming: IncomingConnect, peer: AcceptedPeer): void;
};

export class PassageFront implements ConnectFront {
  readonly #passage: Passage;
  readonly #waypoint: ConnectFront;

  constructor(passage: Passage, waypoint: ConnectFront) {
    this.#passage = passage;
    this.#waypoint = waypoint;
  }

  get open(): number {
    return this.#passage.active + this.#waypoint.open;
  }

  recvConnect(incoming: IncomingConnect, peer: AcceptedPeer): void {
    const { authority, headers } = incoming;
    const outer = headers.xForwardedNetwork === undefined && parseAuthority(authority)?.kind === 'hostname';
    if (outer) void this.#passage.recvConnect(incoming, peer);
    else this.#waypoint.recvConnect(incoming, peer);
  }
}
