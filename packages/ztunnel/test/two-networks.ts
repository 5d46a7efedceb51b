/**
 * Two networks of two captured pods each, and nothing between them but a gateway. The networks use the same pod addresses,
 * as those of two clusters may, so that nobody gets across by an address.
 *
 *   client-a 10.77.0.1 ┐                                        ┌ 10.77.0.1 server-a
 *                      ├ 10.99.0.1 gateway, which forwards nothing ┤
 *   client-b 10.77.0.2 ┘                                        └ 10.77.0.2 server-b
 */
import net from 'node:net';
import { once } from 'node:events';
import { connectTcp } from '@clearmesh/linux/connect-tcp';
import { listenSocket } from '@clearmesh/linux/listen-socket';
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import { NamespaceBed } from '@clearmesh/linux/testing/namespace-bed';
import { captureIn } from './capture-rules.ts';
import { bounded } from './path/applications.ts';

export const gatewayAddress = '10.99.0.1';
export const podsOf = { east: ['client-a', 'client-b'], west: ['server-a', 'server-b'] } as const;
export type NetworkName = keyof typeof podsOf;
export type NetworkPod = (typeof podsOf)[NetworkName][number];
export type Place = NetworkPod | 'gateway';

/** The same in both networks. */
export function addressOf(pod: NetworkPod): string {
  return pod.endsWith('-a') ? '10.77.0.1' : '10.77.0.2';
}

export class TwoNetworks implements AsyncDisposable {
  readonly #bed = new NamespaceBed();
  readonly #namespaces = new Map<Place, NetworkNamespace>();
  readonly #sockets: net.Socket[] = [];
  readonly #servers: net.Server[] = [];

  constructor() {
    try {
      this.#add('gateway');
      this.#bed.exec('gateway', 'ip', 'address', 'add', `${gatewayAddress}/32`, 'dev', 'lo');
      for (const [index, pod] of [...podsOf.east, ...podsOf.west].entries()) this.#join(pod, index);
    } catch (error) {
      this.#bed[Symbol.dispose]();
      throw error;
    }
  }

  /** The namespace as the node agent would hand it over: a handle of its own. */
  handle(pod: NetworkPod): NetworkNamespace {
    return this.#namespaceOf(pod).duplicate();
  }

  /** Listens somewhere; connections are half open where an application is meant. */
  async serve(
    place: Place,
    at: { readonly ip: string; readonly port: number },
    onConnection: (socket: net.Socket) => void,
  ): Promise<void> {
    const { fd } = listenSocket({ namespace: this.#namespaceOf(place), ...at });
    const server = net.createServer({ allowHalfOpen: place !== 'gateway', noDelay: true }, (socket) => {
      this.#sockets.push(socket.on('error', () => {}));
      onConnection(socket);
    });
    this.#servers.push(server);
    server.listen({ fd });
    await once(server, 'listening');
  }

  async connect(place: Place, target: { readonly ip: string; readonly port: number }): Promise<net.Socket> {
    const namespace = this.#namespaceOf(place);
    const socket = await bounded(connectTcp({ namespace, target }, AbortSignal.timeout(5_000)), 'connect');
    this.#sockets.push(socket.on('error', () => {}));
    return socket;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
    this.#bed[Symbol.dispose]();
  }

  #add(place: Place): void {
    this.#namespaces.set(place, this.#bed.add(place));
  }

  #namespaceOf(place: Place): NetworkNamespace {
    const namespace = this.#namespaces.get(place);
    if (namespace === undefined) throw new Error(`there is no ${place}`);
    return namespace;
  }

  /** A link of its own to the gateway; from the gateway only pods of the west are known by their address. */
  #join(pod: NetworkPod, index: number): void {
    this.#add(pod);
    const [own, far] = [`10.78.${index}.1`, `10.78.${index}.2`];
    this.#bed.link(
      { namespace: pod, device: 'eth0', addresses: [`${own}/24`, `${addressOf(pod)}/32`] },
      { namespace: 'gateway', device: `pod${index}`, addresses: [`${far}/24`] },
    );
    this.#bed.exec(pod, 'ip', 'route', 'add', 'default', 'via', far);
    if (pod.startsWith('server')) this.#bed.exec('gateway', 'ip', 'route', 'add', addressOf(pod), 'via', own);
    captureIn(this.#bed, pod);
  }
}
