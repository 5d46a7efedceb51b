/** Carries the streams of callers of other networks to their end. */
import type net from 'node:net';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { Deadline } from '@clearmesh/shared/lifecycle/deadline';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { WorkloadUid } from '@clearmesh/shared/model/names';
import type { Workload } from '@clearmesh/shared/model/workload';
import { relay } from '@clearmesh/shared/net/relay';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { SnapshotSource } from '@clearmesh/shared/snapshot/snapshot';
import type { AcceptedPeer } from '@clearmesh/shared/tunnel/acceptor';
import type { IncomingConnect } from '@clearmesh/shared/tunnel/engine';
import { passageTarget } from './passage-target.ts';
import type { PassageTarget } from './passage-target.ts';

export type PassageOptions = {
  /** Time for the connection to one workload, milliseconds. @default 5 000 */
  readonly connectMs?: number;
  /** Streams at a time; what comes beyond is refused. @default 32 768 */
  readonly maxStreams?: number;
};

export type PassageDeps = {
  readonly snapshots: SnapshotSource;
  readonly own: () => Workload;
  readonly connect: (target: SocketAddress, signal: AbortSignal) => Promise<net.Socket>;
  /** Counts a CONNECT that led nowhere. */
  readonly onRefused: (reason: string, peer: AcceptedPeer) => void;
  /** Aborts when what is open must end. */
  readonly forced: AbortSignal;
  readonly random: Random;
  readonly clock: Clock;
  /** One line a stream, at its end. */
  readonly logger: Logger;
};

/** Workloads that one stream tries: nothing was sent to those that could not be reached. */
const maxTries = 3;

export class Passage {
  readonly #connectMs: number;
  readonly #maxStreams: number;
  readonly #deps: PassageDeps;
  #active = 0;

  constructor(options: PassageOptions, deps: PassageDeps) {
    this.#connectMs = options.connectMs ?? 5_000;
    this.#maxStreams = options.maxStreams ?? 32_768;
    this.#deps = deps;
  }

  /** Streams under way. */
  get active(): number {
    return this.#active;
  }

  /** Answers one CONNECT and carries it to its end; never rejects. */
  async recvConnect(incoming: IncomingConnect, peer: AcceptedPeer): Promise<void> {
    if (incoming.method !== 'CONNECT') return this.#refuse(incoming, peer, 400, 'expected method CONNECT');
    if (this.#active >= this.#maxStreams) {
      return this.#refuse(incoming, peer, 503, `the gateway carries ${this.#maxStreams} streams already`);
    }
    this.#active += 1;
    try {
      await this.#carry(incoming, peer);
    } finally {
      this.#active -= 1;
    }
  }

  async #carry(incoming: IncomingConnect, peer: AcceptedPeer): Promise<void> {
    const { clock, forced } = this.#deps;
    const found = await this.#connect(incoming.authority, AbortSignal.any([incoming.gone, forced]));
    if (found.kind === 'refused') return this.#refuse(incoming, peer, found.status, found.reason);
    const startedMs = clock.monotonicMs();
    const { target, socket } = found;
    const end = await relay(incoming.accept({}), socket, { clock }, forced);
    this.#deps.logger.info('passage complete', {
      'src.addr': formatSocketAddress(peer.remote),
      'src.identity': peer.identity,
      'dst.addr': formatSocketAddress(target.address),
      'dst.hbone_addr': incoming.authority,
      'dst.service': target.service.hostname,
      'dst.workload': target.workload.name,
      bytes_sent: socket.bytesWritten,
      bytes_recv: socket.bytesRead,
      duration: `${Math.floor(clock.monotonicMs() - startedMs)}ms`,
      error: end.kind === 'broken' ? end.error.message : undefined,
    });
  }

  async #connect(authority: string, signal: AbortSignal): Promise<Reached | Unreached> {
    const { snapshots, own, random } = this.#deps;
    const exclude = new Set<WorkloadUid>();
    let last: string | undefined;
    while (exclude.size < maxTries) {
      const target = passageTarget(authority, { snapshot: snapshots.current, own: own(), random, exclude });
      if (target.kind === 'refused') return last === undefined ? target : { ...target, reason: last };
      const dialled = await this.#dial(target, signal);
      if (typeof dialled !== 'string') return { kind: 'reached', target, socket: dialled };
      if (signal.aborted) return { kind: 'refused', status: 503, reason: dialled };
      last = dialled;
      exclude.add(target.workload.uid);
    }
    return { kind: 'refused', status: 503, reason: last ?? '' };
  }

  /** The connection, or why there is none. */
  async #dial({ address }: PassageTarget, signal: AbortSignal): Promise<net.Socket | string> {
    const reason = (): Error => new Error(`no connection within ${this.#connectMs} ms`);
    using deadline = new Deadline({ limitMs: this.#connectMs, reason }, this.#deps);
    try {
      return await this.#deps.connect(address, deadline.within(signal));
    } catch (thrown) {
      return `connecting to ${formatSocketAddress(address)} failed: ${thrown instanceof Error ? thrown.message : String(thrown)}`;
    }
  }

  #refuse(incoming: IncomingConnect, peer: AcceptedPeer, status: 400 | 503, reason: string): void {
    incoming.refuse(status);
    this.#deps.onRefused(reason, peer);
  }
}

type Reached = { readonly kind: 'reached'; readonly target: PassageTarget; readonly socket: net.Socket };
type Unreached = { readonly kind: 'refused'; readonly status: 400 | 503; readonly reason: string };
