/**
 * The server that a pod asked, before its question was redirected to the proxy: a pod may have resolvers of its own
 * (`dnsPolicy: None`), and what the mesh has no answer to is then asked of these.
 *
 * Q1  Where that cannot be known (nothing was redirected, connection tracking has forgotten, the kernel does not tell), there is
 *     no such server; the question goes to the resolvers of the proxy.
 */
import type net from 'node:net';
import type { DatagramTracking } from '@clearmesh/linux/datagram-tracking';
import type { InetAddress } from '@clearmesh/linux/inet-address';
import { parseIp } from '@clearmesh/shared/model/ip-address';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { Logger } from '@clearmesh/shared/observe/log';

export type AskedServersDeps = {
  /** Of the pod; throws where the kernel has none for us. */
  readonly openTracking: () => Pick<DatagramTracking, 'originalDestination' | typeof Symbol.dispose>;
  readonly originalDestination: (socket: net.Socket) => InetAddress | undefined;
  readonly logger: Pick<Logger, 'warn'>;
};

type Tracking =
  | { readonly kind: 'unused'; readonly isWarned: boolean }
  | { readonly kind: 'open'; readonly tracking: ReturnType<AskedServersDeps['openTracking']>; readonly isWarned: boolean }
  | { readonly kind: 'disposed' };

/** Of one pod. */
export class AskedServers implements Disposable {
  readonly #deps: AskedServersDeps;
  #state: Tracking = { kind: 'unused', isWarned: false };

  constructor(deps: AskedServersDeps) {
    this.#deps = deps;
  }

  /** Of a datagram that arrived at `to`. Q1. */
  ofDatagram(from: InetAddress, to: InetAddress): SocketAddress | undefined {
    const state = this.#state;
    if (state.kind === 'disposed') return undefined;
    try {
      const tracking = state.kind === 'open' ? state.tracking : this.#deps.openTracking();
      this.#state = { kind: 'open', tracking, isWarned: state.isWarned };
      // Node names the interface of a link-local address behind it.
      const source = { ip: from.ip.replace(/%.*$/, ''), port: from.port };
      return serverOf(tracking.originalDestination(source, to), to);
    } catch (error) {
      this.#warn(error);
      return undefined;
    }
  }

  /** Of a connection that the proxy accepted. Q1. */
  ofStream(socket: net.Socket): SocketAddress | undefined {
    const { localAddress: ip, localPort: port } = socket;
    if (ip === undefined || port === undefined) return undefined;
    return serverOf(this.#deps.originalDestination(socket), { ip, port });
  }

  [Symbol.dispose](): void {
    const state = this.#state;
    this.#state = { kind: 'disposed' };
    if (state.kind === 'open') state.tracking[Symbol.dispose]();
  }

  /** Once for a pod: it is so for each of its questions. */
  #warn(error: unknown): void {
    const state = this.#state;
    if (state.kind === 'disposed' || state.isWarned) return;
    this.#state = { ...state, isWarned: true };
    const remedy = 'its questions go to the resolvers of the proxy; CAP_NET_ADMIN and CONFIG_NF_CT_NETLINK are needed';
    this.#deps.logger.warn('the server that a pod asks for names is not known', { error: String(error), remedy });
  }
}

function serverOf(original: InetAddress | undefined, arrived: InetAddress): SocketAddress | undefined {
  const ip = original === undefined ? undefined : parseIp(original.ip);
  if (original === undefined || ip === undefined) return undefined;
  // Asked directly.
  if (original.port === arrived.port && ip === parseIp(arrived.ip)) return undefined;
  // Of a link-local address connection tracking does not know the interface, without which it cannot be reached.
  return /^fe[89ab]/.test(ip) ? undefined : { ip, port: original.port };
}
