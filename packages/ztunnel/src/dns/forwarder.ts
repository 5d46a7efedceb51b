/**
 * Questions that the mesh has no answer to, asked of other resolvers from within the pod's network (l4-contract section 10). The message goes on as it came, and so does the answer.
 *
 *   try 1: resolver 1 ── no answer in time, not reachable ──▶ try 2: resolver 2, or 1 again ──▶ … ──▶ rejected
 *
 * F1  Each try has a port and a number of its own, both drawn at random (RFC 5452 section 9), and hears that resolver only.
 * F2  All tries together take no longer than a pod's own resolver would wait.
 */
import dgram from 'node:dgram';
import type net from 'node:net';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import { answers, renumbered } from './message.ts';
import type { Query } from './message.ts';
import { MessageStream, framed } from './message-stream.ts';
import type { DnsProtocol } from './responder.ts';

export type ForwarderOptions = {
  /** For one try, milliseconds. @default 2 000 */
  readonly tryMs?: number;
  /** For all of them, milliseconds. @default 5 000 */
  readonly totalMs?: number;
};

export type ForwarderDeps = {
  /** A UDP socket of the pod's network for this family, bound to a port of the kernel's choice. */
  readonly openDatagram: (family: 4 | 6) => number;
  readonly connect: (target: SocketAddress, signal: AbortSignal) => Promise<net.Socket>;
  readonly clock: Clock;
  readonly random: Random;
};

/** Whom to ask, in this order, and how. */
export type Way = { readonly nameservers: readonly SocketAddress[]; readonly protocol: DnsProtocol };

type Try = { readonly server: SocketAddress; readonly query: Query; readonly id: number; readonly signal: AbortSignal };

const maxTries = 4;

export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #deps: ForwarderDeps;

  constructor(options: ForwarderOptions, deps: ForwarderDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** The first answer; rejects when nobody gives one, or with the signal's reason. */
  async forward(query: Query, { nameservers, protocol }: Way, signal: AbortSignal): Promise<Uint8Array> {
    const { tryMs = 2_000, totalMs = 5_000 } = this.#options;
    if (nameservers.length === 0) throw new Error('no resolver is known: see the nameserver lines of /etc/resolv.conf');
    const endMs = this.#deps.clock.monotonicMs() + totalMs;
    let failed: unknown;
    for (let index = 0; index < Math.min(nameservers.length * 2, maxTries); index++) {
      const server = nameservers[index % nameservers.length];
      const leftMs = endMs - this.#deps.clock.monotonicMs();
      if (server === undefined || leftMs <= 0) break;
      try {
        return await this.#try(query, protocol, server, Math.min(tryMs, leftMs), signal);
      } catch (error) {
        signal.throwIfAborted();
        failed = error;
      }
    }
    throw failed;
  }

  async #try(query: Query, protocol: DnsProtocol, server: SocketAddress, ms: number, signal: AbortSignal): Promise<Uint8Array> {
    const limit = new AbortController();
    const recvAbort = (): void => limit.abort(signal.reason);
    signal.throwIfAborted();
    signal.addEventListener('abort', recvAbort, { once: true });
    const cancel = this.#deps.clock.after(ms, () => limit.abort(unanswered(server, `no answer within ${Math.round(ms)} ms`)));
    const id = Number.parseInt(this.#deps.random.hex(2), 16);
    try {
      const asked: Try = { server, query, id, signal: limit.signal };
      return protocol === 'udp' ? await this.#askDatagram(asked) : await this.#askStream(asked);
    } finally {
      cancel();
      signal.removeEventListener('abort', recvAbort);
    }
  }

  #askDatagram({ server, query, id, signal }: Try): Promise<Uint8Array> {
    const family = server.ip.includes(':') ? 6 : 4;
    const fd = this.#deps.openDatagram(family);
    const socket = dgram.createSocket(family === 4 ? 'udp4' : 'udp6');
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const recvAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', recvAbort, { once: true });
    socket.on('error', (error) => reject(unanswered(server, error.message)));
    socket.on('message', (message) => {
      if (answers(message, query, id)) resolve(message);
    });
    socket.bind({ fd, exclusive: true });
    // Connected, it hears this resolver only, and learns that nobody listens there. Without a route it is not connected: that is
    // an `error` event only for who has not given `connect` a callback.
    socket.once('connect', () => socket.send(renumbered(query.bytes, id)));
    socket.connect(server.port, server.ip);
    return promise.finally(() => {
      signal.removeEventListener('abort', recvAbort);
      socket.close();
    });
  }

  async #askStream({ server, query, id, signal }: Try): Promise<Uint8Array> {
    const socket = await this.#deps.connect(server, signal);
    const recvAbort = (): void => void socket.destroy(signal.reason);
    signal.addEventListener('abort', recvAbort, { once: true });
    try {
      signal.throwIfAborted();
      socket.write(framed(renumbered(query.bytes, id)));
      for await (const message of new MessageStream(socket)) if (answers(message, query, id)) return message;
      throw unanswered(server, 'the connection ended without an answer');
    } finally {
      signal.removeEventListener('abort', recvAbort);
      socket.destroy();
    }
  }
}

function unanswered(server: SocketAddress, reason: string): Error {
  return new Error(`resolver ${formatSocketAddress(server)}: ${reason}`);
}
