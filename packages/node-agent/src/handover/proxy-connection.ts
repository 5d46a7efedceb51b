/**
 * One connected node proxy: requests leave in order, one outstanding at a time, each answered (l4-contract section 5).
 *
 *   greeting ── recvHello ──▶ idle ◀── recvAck ──▶ waiting
 *       └───────── deadline, fault or end ─────────┴──▶ closed
 *
 * Z1  what the proxy says unasked is a fault, and a fault ends the connection: the proxy dials again and gets a new snapshot.
 * Z2  a proxy that is silent for the deadline is as good as gone.
 * Z3  every parcel is settled exactly once; closing settles what is left as lost.
 */
import { closeSync } from 'node:fs';
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import type { ReceivedPacket, SeqpacketConnection } from '@clearmesh/linux/seqpacket';
import type { Cancel, Clock } from '@clearmesh/shared/lifecycle/clock';
import { decodeAck, decodeHello, encodeZdsRequest } from '@clearmesh/shared/wire/zds';
import type { ZdsRequest } from '@clearmesh/shared/wire/zds';

/** What became of a request. */
export type Delivery =
  | { readonly kind: 'acked' }
  /** The proxy could not do it; it keeps trying by itself every 5 s. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** The connection ended before an answer. */
  | { readonly kind: 'lost'; readonly reason: string }
  /** The pod was removed or replaced before its turn. */
  | { readonly kind: 'withdrawn' };

/** A request with what travels beside it. */
export type Parcel = {
  readonly request: ZdsRequest;
  /** The pod's namespace, for an Add; stays its owner's, who withdraws the parcel before disposing of it. */
  readonly netns?: NetworkNamespace;
  readonly settle: (delivery: Delivery) => void;
};

export type ProxyConnectionOptions = {
  /** For the first packet, milliseconds. */
  readonly helloDeadlineMs: number;
  /** For each answer, milliseconds. */
  readonly ackDeadlineMs: number;
  /** Parcels that may queue; one more ends the connection. */
  readonly maxQueue: number;
};

export type ProxyConnectionDeps = {
  readonly connection: SeqpacketConnection;
  readonly clock: Clock;
  readonly onHello: () => void;
};

type State =
  | { readonly kind: 'greeting'; readonly cancelDeadline: Cancel }
  | { readonly kind: 'idle' }
  | { readonly kind: 'waiting'; readonly parcel: Parcel; readonly cancelDeadline: Cancel }
  | { readonly kind: 'closed'; readonly reason: string };

export class ProxyConnection {
  readonly #options: ProxyConnectionOptions;
  readonly #deps: ProxyConnectionDeps;
  #queue: Parcel[] = [];
  #state: State;

  constructor(options: ProxyConnectionOptions, deps: ProxyConnectionDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#state = { kind: 'greeting', cancelDeadline: this.#deadline(options.helloDeadlineMs, 'it sent no hello') };
  }

  /** True once the proxy said hello, until the connection ends. */
  get greeted(): boolean {
    return this.#state.kind === 'idle' || this.#state.kind === 'waiting';
  }

  /** Serves the connection until it ends, and tells why it did; everything it owns is released then. */
  async run(signal: AbortSignal): Promise<string> {
    const { connection } = this.#deps;
    try {
      for (let packet = await connection.receive(signal); packet !== undefined; packet = await connection.receive(signal)) {
        this.#recvPacket(packet);
      }
      this.close('the proxy closed it');
    } catch (error) {
      this.close(signal.aborted ? 'the agent stops' : String(error));
    }
    await connection[Symbol.asyncDispose]();
    return this.#state.kind === 'closed' ? this.#state.reason : '';
  }

  /** Queues a request behind those before it. */
  enqueue(parcel: Parcel): void {
    if (this.#state.kind === 'closed') return parcel.settle({ kind: 'lost', reason: this.#state.reason });
    this.#queue.push(parcel);
    if (this.#queue.length > this.#options.maxQueue)
      return this.close(`more than ${this.#options.maxQueue} requests wait for it`);
    this.#sendNext();
  }

  /** Takes back an Add that has not been sent yet. */
  withdraw(uid: string): void {
    const isIt = ({ request }: Parcel): boolean => request.kind === 'add' && request.uid === uid;
    const withdrawn = this.#queue.filter(isIt);
    this.#queue = this.#queue.filter((parcel) => !isIt(parcel));
    for (const parcel of withdrawn) parcel.settle({ kind: 'withdrawn' });
  }

  /** Ends the connection; the first reason stays. */
  close(reason: string): void {
    const state = this.#state;
    if (state.kind === 'closed') return;
    this.#state = { kind: 'closed', reason };
    if (state.kind !== 'idle') state.cancelDeadline();
    const left = state.kind === 'waiting' ? [state.parcel, ...this.#queue] : this.#queue;
    this.#queue = [];
    // Ends the pending receive, hence `run`, which disposes of it a second time to no effect.
    void this.#deps.connection[Symbol.asyncDispose]();
    for (const parcel of left) parcel.settle({ kind: 'lost', reason });
  }

  #recvPacket(packet: ReceivedPacket): void {
    for (const fd of packet.fds) closeSync(fd);
    if (packet.truncated || packet.fds.length > 0) return this.close('its packet was too long or carried descriptors');
    switch (this.#state.kind) {
      case 'greeting':
        return this.#recvHello(packet.bytes, this.#state.cancelDeadline);
      case 'waiting':
        return this.#recvAck(packet.bytes, this.#state.parcel, this.#state.cancelDeadline);
      case 'idle':
        return this.close('it spoke without being asked');
      case 'closed':
        return undefined;
    }
  }

  #recvHello(bytes: Uint8Array, cancelDeadline: Cancel): void {
    const hello = decodeHello(bytes);
    if (hello.kind === 'invalid') return this.close(`its hello is not understood: ${hello.reason}`);
    cancelDeadline();
    this.#state = { kind: 'idle' };
    this.#deps.onHello();
    this.#sendNext();
  }

  #recvAck(bytes: Uint8Array, parcel: Parcel, cancelDeadline: Cancel): void {
    const ack = decodeAck(bytes);
    if (ack.kind === 'invalid') return this.close(`its answer is not understood: ${ack.reason}`);
    cancelDeadline();
    this.#state = { kind: 'idle' };
    parcel.settle(ack.error === '' ? { kind: 'acked' } : { kind: 'refused', reason: ack.error });
    this.#sendNext();
  }

  #sendNext(): void {
    const parcel = this.#state.kind === 'idle' ? this.#queue.shift() : undefined;
    if (parcel === undefined) return;
    const cancelDeadline = this.#deadline(this.#options.ackDeadlineMs, `it did not answer ${describe(parcel.request)}`);
    this.#state = { kind: 'waiting', parcel, cancelDeadline };
    try {
      this.#deps.connection.send(encodeZdsRequest(parcel.request), parcel.netns?.fd);
    } catch (error) {
      this.close(`${describe(parcel.request)} could not be sent: ${String(error)}`);
    }
  }

  #deadline(delayMs: number, silence: string): Cancel {
    return this.#deps.clock.after(delayMs, () => this.close(`${silence} within ${delayMs} ms`));
  }
}

function describe(request: ZdsRequest): string {
  return request.kind === 'snapshotSent' ? 'SnapshotSent' : `${request.kind} ${request.uid}`;
}
