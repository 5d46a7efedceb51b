/**
 * The DNS proxy of one pod: UDP and TCP on its loopback addresses, where the redirection brings its queries
 * (l4-contract sections 1 and 10). It starts whole or not at all, and ends as one.
 *
 *   serving ── yield ──▶ yielding ── finish ──▶ answering what was asked ──▶ gone
 *      └──────────────── destroy ─────────────────────────────────────────▶ gone
 */
import type dgram from 'node:dgram';
import { readFileSync } from 'node:fs';
import type net from 'node:net';
import type { DatagramOptions, DatagramSocket } from '@clearmesh/linux/datagram-socket';
import type { ListenOptions, ListeningSocket } from '@clearmesh/linux/listen-socket';
import type { KeepAlive } from '@clearmesh/linux/socket-options';
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { ipFamily } from '@clearmesh/shared/model/ip-address';
import type { IpAddress } from '@clearmesh/shared/model/ip-address';
import type { Logger } from '@clearmesh/shared/observe/log';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { PodListener } from '../capture/pod-listener.ts';
import type { AskedServers } from './asked-servers.ts';
import { DatagramPort } from './datagram-port.ts';
import type { DnsResponder } from './responder.ts';
import { StreamConversations } from './stream-conversations.ts';

export type PodDnsOptions = {
  /** Absent: the process's own. */
  readonly namespace?: NetworkNamespace;
  /** `localhost`: 127.0.0.1, and ::1 where there is IPv6. */
  readonly host: 'localhost' | IpAddress;
  readonly port: number;
  readonly mark?: number;
  readonly reusePort: boolean;
  /** @default 180 s, 180 s, 9 probes */
  readonly keepAlive?: KeepAlive;
  /** Whether ::1 belongs to `localhost`. */
  readonly ipv6: boolean;
};

export type PodDnsDeps = {
  readonly listen: (options: ListenOptions) => ListeningSocket;
  readonly openDatagram: (options: DatagramOptions) => DatagramSocket;
  readonly responder: Pick<DnsResponder, 'respond'>;
  /** The proxy of the pod ends it. */
  readonly servers: Pick<AskedServers, 'ofDatagram' | 'ofStream' | typeof Symbol.dispose>;
  readonly clock: Clock;
  /** The dns scope. */
  readonly logger: Logger;
};

/** Open from the constructor on. */
export class PodDns implements Disposable {
  readonly #streams: StreamConversations;
  readonly #listeners: PodListener[] = [];
  readonly #datagrams: DatagramPort[] = [];
  readonly #end = new AbortController();
  readonly #servers: Disposable;

  /** Throws MESH-CAPTURE-001 when a port cannot be opened; nothing is left open then. */
  constructor(options: PodDnsOptions, deps: PodDnsDeps) {
    const { responder, servers, clock, logger } = deps;
    this.#servers = servers;
    const { signal } = this.#end;
    const respond = (message: Uint8Array, socket: net.Socket): Promise<Uint8Array | undefined> =>
      responder.respond(message, { protocol: 'tcp', server: () => servers.ofStream(socket) }, signal);
    this.#streams = new StreamConversations({}, { respond, clock, logger });
    try {
      for (const ip of addressesOf(options)) this.#open(ip, options, deps);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Leaves what is new to a successor in this namespace, if there is one. */
  yield(): void {
    for (const port of [...this.#datagrams, ...this.#listeners]) port.yield();
  }

  /** Takes no more connections; resolves when what was asked is answered, and all is closed. */
  async finish(): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    await Promise.all([this.#streams.finish(), ...this.#datagrams.map((port) => port.finish())]);
    this.#servers[Symbol.dispose]();
  }

  /** Closes all now. */
  [Symbol.dispose](): void {
    for (const port of [...this.#datagrams, ...this.#listeners]) port.close();
    this.#streams.destroy();
    this.#servers[Symbol.dispose]();
    this.#end.abort(new Error('the DNS proxy of the pod has ended'));
  }

  #open(ip: IpAddress, options: PodDnsOptions, deps: PodDnsDeps): void {
    const { namespace, port, mark, reusePort, keepAlive = {} } = options;
    const { responder, servers, logger } = deps;
    const where = {
      ip,
      port,
      reusePort,
      ...(namespace === undefined ? {} : { namespace }),
      ...(mark === undefined ? {} : { mark }),
    };
    const { signal } = this.#end;
    const server = ({ address, port: source }: dgram.RemoteInfo): ReturnType<AskedServers['ofDatagram']> =>
      servers.ofDatagram({ ip: address, port: source }, { ip: redirectedTo(ip), port });
    const respond = (message: Uint8Array, from: dgram.RemoteInfo): Promise<Uint8Array | undefined> =>
      responder.respond(message, { protocol: 'udp', server: () => server(from) }, signal);
    this.#datagrams.push(new DatagramPort(openDatagram(where, deps), ipFamily(ip), { respond, logger }));
    this.#listeners.push(
      new PodListener(
        { ...where, keepAlive, allowHalfOpen: true },
        { listen: deps.listen, onAccept: ({ socket }) => this.#streams.accept(socket), logger },
      ),
    );
  }
}

const loopback4 = '127.0.0.1' as IpAddress;
const loopback6 = '::1' as IpAddress;

function addressesOf({ host, namespace, ipv6 }: PodDnsOptions): readonly IpAddress[] {
  if (host !== 'localhost') return [host];
  return ipv6 && hasLoopback6(namespace) ? [loopback4, loopback6] : [loopback4];
}

/** A redirection within the pod leads to loopback, and what listens at every address hears it there. */
function redirectedTo(ip: IpAddress): IpAddress {
  if (ip === '0.0.0.0') return loopback4;
  return ip === '::' ? loopback6 : ip;
}

/** Pods may have IPv6 switched off where their node has it. */
function hasLoopback6(namespace: NetworkNamespace | undefined): boolean {
  const read = (): string => readFileSync('/proc/sys/net/ipv6/conf/lo/disable_ipv6', 'utf8');
  try {
    return (namespace === undefined ? read() : namespace.run(read)).trim() === '0';
  } catch {
    // A kernel without IPv6 has no such file.
    return false;
  }
}

function openDatagram(where: DatagramOptions, deps: PodDnsDeps): DatagramSocket {
  try {
    return deps.openDatagram(where);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MeshError('MESH-CAPTURE-001', { message: `cannot open ${where.ip} UDP port ${where.port}: ${reason}`, cause });
  }
}
