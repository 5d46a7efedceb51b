/**
 * A connection that an application asks for by SOCKS5 (l4-contract section 1), from its accept to its end.
 *
 *   accepted ─▶ negotiated ─▶ name looked up ─▶ outbound path ─┬─ open ──▶ succeeded, then the bytes
 *       └─ any failure: the answer of RFC 1928, then the end ──┘ not open
 *
 * S1  What was asked for goes the way of a captured connection: same route, policy, log and metrics.
 * S2  A name means to the client what its DNS proxy would tell it; one that the mesh does not know is asked of the system's resolver.
 * S3  Until it is known where to, a client has 10 s.
 * S4  The drain is held without a gap: what was asked for is a connection of the outbound path before the asking is over.
 */
import { unreachable } from '@clearmesh/shared/lifecycle/unreachable';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { IpAddress, SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { PodName } from '@clearmesh/shared/snapshot/snapshot';
import type { Accepted } from '../capture/pod-listener.ts';
import { resolveName } from '../dns/resolve-name.ts';
import type { NamingOptions } from '../dns/resolve-name.ts';
import { greetingAnswer, socksReply } from '../socks/message.ts';
import type { SocksName, SocksReply, SocksTarget } from '../socks/message.ts';
import { SocksRefusal, negotiate, part } from '../socks/negotiation.ts';
import { ConnectionCut } from './connection-cut.ts';
import type { Bytes, ReportDeps } from './connection-report.ts';
import type { Connections, OpenConnection } from './connections.ts';
import { recordEarlyFailure } from './early-failures.ts';
import type { OutboundPath } from './outbound.ts';
import { ownWorkload } from './own-workload.ts';
import type { WorkloadSource } from './own-workload.ts';
import { Refusal, badRequest } from './refusal.ts';
import { unopenedBy } from './unopened.ts';
import type { Unopened } from './unopened.ts';

export type SocksOptions = {
  readonly pod: PodName;
  /** What names mean. */
  readonly naming: NamingOptions;
  /** Until it is known where to, milliseconds. @default 10 000 */
  readonly askMs?: number;
};

export type SocksDeps = ReportDeps & {
  readonly snapshots: WorkloadSource;
  readonly connections: Connections;
  readonly lookUp: (hostname: string, signal: AbortSignal) => Promise<readonly IpAddress[]>;
  readonly random: Random;
};

/** Where to, and how many bytes were read to know it. */
type Known = { readonly destination: SocketAddress; readonly read: number };

/** Serves the SOCKS listener of one pod. */
export class SocksPath {
  readonly #options: SocksOptions;
  readonly #deps: SocksDeps;
  readonly #outbound: Pick<OutboundPath, 'carryAsked'>;

  constructor(options: SocksOptions, deps: SocksDeps, outbound: Pick<OutboundPath, 'carryAsked'>) {
    this.#options = options;
    this.#deps = deps;
    this.#outbound = outbound;
  }

  /** Takes a connection from its accept to its end; never rejects. */
  async carry(accepted: Accepted): Promise<void> {
    using asking = this.#deps.connections.open('outbound', accepted.remote);
    const known = await this.#negotiate(accepted, asking);
    const followed = known === undefined ? undefined : this.#follow(accepted, known);
    // S4.
    asking[Symbol.dispose]();
    await followed;
    accepted.socket.destroy();
  }

  /** `undefined` when it was refused, and everything about that is said. */
  async #negotiate({ socket, remote, local }: Accepted, connection: OpenConnection): Promise<Known | undefined> {
    const late = new ConnectionCut({ flag: '-', denial: 'bad-request', message: 'a SOCKS5 client did not say in time where to' });
    const cancel = this.#deps.clock.after(this.#options.askMs ?? 10_000, () => connection.cut(late));
    try {
      const { target, read } = await negotiate(socket, connection.signal);
      return { destination: await this.#locate(target, connection), read };
    } catch (thrown) {
      const reason = thrown instanceof SocksRefusal ? badRequest(thrown.message) : thrown;
      recordEarlyFailure({ direction: 'outbound', source: remote, destination: local, thrown: reason }, this.#deps);
      const answer = thrown instanceof SocksRefusal ? thrown.answer : answerTo(unopenedBy(thrown));
      if (!connection.signal.aborted) await part(socket, answer, this.#deps.clock, connection.signal);
      return undefined;
    } finally {
      cancel();
    }
  }

  async #locate({ host, port }: SocksTarget, connection: OpenConnection): Promise<SocketAddress> {
    if (typeof host === 'string') return { ip: host, port };
    const addresses = await this.#addressesOf(host, connection.signal);
    const ip = addresses[Math.floor(this.#deps.random.unit() * addresses.length)];
    if (ip === undefined) throw new Refusal({ reason: 'no-target', message: `the name ${host.name} has no address` });
    return { ip, port };
  }

  /** S2. Of one family, IPv4 before IPv6: the client has not said which it would like. */
  async #addressesOf({ name }: SocksName, signal: AbortSignal): Promise<readonly IpAddress[]> {
    const { snapshots, lookUp } = this.#deps;
    const { pod, naming } = this.#options;
    const client = await ownWorkload(snapshots, pod, 'unknown-source', signal);
    for (const family of [4, 6] as const) {
      const resolution = resolveName({ name, family }, client, snapshots.current, naming);
      if (resolution.kind === 'unknown') return lookUp(name, signal);
      if (resolution.addresses.length > 0) return resolution.addresses;
    }
    return [];
  }

  async #follow(accepted: Accepted, { destination, read }: Known): Promise<void> {
    const { socket } = accepted;
    let spoken: number | undefined;
    const opened = (): void => {
      const reply = socksReply('succeeded');
      spoken = greetingAnswer.length + reply.length;
      socket.write(reply);
    };
    // Of what the client may have sent behind its request, nothing goes anywhere before.
    const bytes = (): Bytes =>
      spoken === undefined ? { received: 0, sent: 0 } : { received: socket.bytesRead - read, sent: socket.bytesWritten - spoken };
    const unopened = await this.#outbound.carryAsked(accepted, { destination, opened, bytes });
    if (unopened === undefined) return;
    using parting = this.#deps.connections.open('outbound', accepted.remote);
    await part(socket, answerTo(unopened), this.#deps.clock, parting.signal);
  }
}

function answerTo(unopened: Unopened): Uint8Array {
  return socksReply(replyOf(unopened));
}

function replyOf(unopened: Unopened): SocksReply {
  switch (unopened) {
    case 'denied':
      return 'not allowed';
    case 'unreachable':
      return 'host unreachable';
    case 'refused':
      return 'connection refused';
    case 'failed':
      return 'general failure';
    default:
      return unreachable(unopened);
  }
}
