/** Sorts CONNECTs of a gateway that serves other networks: hostnames are passed on, addresses are the waypoint's. */
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
    if (parseAuthority(incoming.authority)?.kind === 'hostname') void this.#passage.recvConnect(incoming, peer);
    else this.#waypoint.recvConnect(incoming, peer);
  }
}
