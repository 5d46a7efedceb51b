/**
 * Where a redirected datagram wanted to go. Of a TCP connection its socket knows (original-destination.ts); of a datagram only
 * connection tracking does, which is asked over netlink from within the namespace. The kernel answers within the call that
 * asks, so nothing here waits. It needs CAP_NET_ADMIN over the namespace, as marks do.
 *
 * D1  One question at a time: what does not answer it is passed over (whoever administers the namespace can send us anything).
 */
import { closeSync } from 'node:fs';
import { SyscallError } from './errno.ts';
import type { InetAddress } from './inet-address.ts';
import * as libc from './libc.ts';
import type { NetworkNamespace } from './netns.ts';
import { receivePacket, sendPacket } from './packet.ts';
import { SOCK_DGRAM, SOCK_FLAGS } from './socket-options.ts';
import { readTrackingReply, trackingRequest } from './tracked-tuple.ts';

const AF_NETLINK = 16;
const NETLINK_NETFILTER = 12;

/** What the kernel tells of one connection fits into it by far. */
const maxReplyBytes = 4_096;
/** D1: packets read for one question; a queue that is full of others' holds no answer. */
const maxPackets = 64;

/** Open from the constructor on. */
export class DatagramTracking implements Disposable {
  #fd: number;
  #sequence = 0;

  /** Throws {@link SyscallError}. @param namespace the process's own unless given */
  constructor(namespace?: NetworkNamespace) {
    const create = (): number =>
      libc.check(libc.socket(AF_NETLINK, SOCK_DGRAM | SOCK_FLAGS, NETLINK_NETFILTER), 'socket', 'netlink');
    this.#fd = namespace === undefined ? create() : namespace.run(create);
  }

  /**
   * Where a datagram that came from `from` was sent, before it was redirected to `to`: `to` itself when it was not;
   * `undefined` when tracking does not know it (any more). Throws {@link SyscallError} when the kernel refuses to say.
   */
  originalDestination(from: InetAddress, to: InetAddress): InetAddress | undefined {
    this.#sequence = (this.#sequence + 1) >>> 0;
    sendPacket(this.#fd, trackingRequest({ source: to, destination: from }, this.#sequence));
    for (let count = 0; count < maxPackets; count++) {
      const packet = receivePacket(this.#fd, maxReplyBytes);
      if (packet === 'empty') return undefined;
      const reply = packet === 'end' ? undefined : readTrackingReply(packet.bytes);
      if (reply?.sequence !== this.#sequence) continue;
      if (reply.kind === 'refused') throw new SyscallError('netlink', reply.errno, 'connection tracking');
      return reply.kind === 'tracked' ? reply.original.destination : undefined;
    }
    return undefined;
  }

  [Symbol.dispose](): void {
    if (this.#fd < 0) return;
    closeSync(this.#fd);
    this.#fd = -1;
  }
}
