/** Two pods in network namespaces of their own, captured and joined by a veth pair. A third one, joined to both, is not captured. */
import net from 'node:net';
import { once } from 'node:events';
import { connectTcp } from '@clearmesh/linux/connect-tcp';
import { listenSocket } from '@clearmesh/linux/listen-socket';
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import { NamespaceBed } from '@clearmesh/linux/testing/namespace-bed';
import { captureIn } from './capture-rules.ts';
import { bounded } from './path/applications.ts';

export const podIps = { client: '10.77.0.1', server: '10.77.0.2', outside: '10.78.0.2' } as const;
export type PodRole = keyof typeof podIps;
const captured = ['client', 'server'] as const;

export class CapturedPods implements AsyncDisposable {
  readonly #bed = new NamespaceBed();
  readonly #namespaces: Readonly<Record<PodRole, NetworkNamespace>>;
  readonly #sockets: net.Socket[] = [];
  readonly #servers: net.Server[] = [];

  constructor() {
    try {
      this.#namespaces = { client: this.#bed.add('client'), server: this.#bed.add('server'), outside: this.#bed.add('outside') };
      this.#bed.link(
        { namespace: 'client', device: 'eth0', addresses: [`${podIps.client}/24`] },
        { namespace: 'server', device: 'eth0', addresses: [`${podIps.server}/24`] },
      );
      this.#linkOutside();
      for (const role of captured) captureIn(this.#bed, role);
    } catch (error) {
      this.#bed[Symbol.dispose]();
      throw error;
    }
  }

  /** The namespace as the node agent would hand it over: a handle of its own. */
  handle(role: PodRole): NetworkNamespace {
    return this.#namespaces[role].duplicate();
  }

  /** An application in a pod. */
  async serve(role: PodRole, onConnection: (socket: net.Socket) => void): Promise<number> {
    const { fd } = listenSocket({ namespace: this.#namespaces[role], ip: '0.0.0.0', port: 0 });
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      this.#sockets.push(socket.on('error', () => {}));
      onConnection(socket);
    });
    this.#servers.push(server);
    server.listen({ fd });
    await once(server, 'listening');
    return (server.address() as net.AddressInfo).port;
  }

  /** A connection an application in a pod opens; with the proxy's mark it goes around the capture, as an attacker would wish to. */
  async connect(
    from: PodRole,
    to: { readonly ip: string; readonly port: number },
    options: { readonly mark?: number } = {},
  ): Promise<net.Socket> {
    const namespace = this.#namespaces[from];
    const signal = AbortSignal.timeout(5_000);
    const socket = await bounded(connectTcp({ namespace, target: to, ...options }, signal), 'connect');
    this.#sockets.push(socket.on('error', () => {}));
    return socket;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
    this.#bed[Symbol.dispose]();
  }

  #linkOutside(): void {
    this.#bed.link(
      { namespace: 'client', device: 'eth1', addresses: ['10.78.0.1/24'] },
      { namespace: 'outside', device: 'eth0', addresses: [`${podIps.outside}/24`] },
    );
    this.#bed.link(
      { namespace: 'server', device: 'eth1', addresses: ['10.79.0.1/24'] },
      { namespace: 'outside', device: 'eth1', addresses: ['10.79.0.2/24'] },
    );
    this.#bed.exec('outside', 'ip', 'route', 'add', podIps.server, 'via', '10.79.0.1');
  }
}
