/**
 * Two pods in network namespaces of their own, joined by a veth pair and captured by the rules of l4-contract
 * section 6, written here by hand so that this test does not lean on the node agent's. A third one, joined to both, is
 * not captured.
 */
import { execFileSync } from 'node:child_process';
import net from 'node:net';
import { once } from 'node:events';
import { connectTcp } from '@clearmesh/linux/connect-tcp';
import { listenSocket } from '@clearmesh/linux/listen-socket';
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import { NamespaceBed } from '@clearmesh/linux/testing/namespace-bed';
import { bounded } from './path/applications.ts';

export const podIps = { client: '10.77.0.1', server: '10.77.0.2', outside: '10.78.0.2' } as const;
export type PodRole = keyof typeof podIps;
const captured = ['client', 'server'] as const;

const rules = `
table ip pod {
  chain mangle-in {
    type filter hook prerouting priority mangle;
    meta mark & 0xfff == 0x539 ct mark set 0x111
  }
  chain mangle-out {
    type route hook output priority mangle;
    ct mark & 0xfff == 0x111 meta mark set 0x111
  }
  chain nat-in {
    type nat hook prerouting priority dstnat;
    meta l4proto tcp ip daddr != 127.0.0.1 tcp dport != 15008 meta mark & 0xfff != 0x539 redirect to :15006
  }
  chain nat-out {
    type nat hook output priority -100;
    meta l4proto tcp meta mark & 0xfff == 0x111 accept
    oifname "lo" ip daddr != 127.0.0.1 accept
    meta l4proto tcp ip daddr != 127.0.0.1 meta mark & 0xfff != 0x539 redirect to :15001
  }
}`;

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
      for (const role of captured) this.#capture(role);
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

  #capture(role: (typeof captured)[number]): void {
    this.#bed.exec(role, 'ip', 'rule', 'add', 'fwmark', '0x111/0xfff', 'pref', '32764', 'lookup', '100');
    this.#bed.exec(role, 'ip', 'route', 'add', 'local', '0.0.0.0/0', 'dev', 'lo', 'table', '100');
    execFileSync('ip', ['netns', 'exec', this.#bed.nameOf(role), 'nft', '-f', '-'], { input: rules, timeout: 10_000 });
  }
}
