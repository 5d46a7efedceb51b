/** Two pods in network namespaces of their own, captured and joined by a veth pair. A third one, joined to both, is not captured. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import net from 'node:net';
import { once } from 'node:events';
import { connectTcp } from '@clearmesh/linux/connect-tcp';
import { listenSocket } from '@clearmesh/linux/listen-socket';
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import { NamespaceBed } from '@clearmesh/linux/testing/namespace-bed';
import { captureIn } from './capture-rules.ts';
import { bounded } from './path/applications.ts';

export type PodRole = 'client' | 'server' | 'outside';
export const podIps: Readonly<Record<PodRole, string>> = { client: '10.77.0.1', server: '10.77.0.2', outside: '10.78.0.2' };
export const podIp6s: Readonly<Record<PodRole, string>> = { client: 'fd77::1', server: 'fd77::2', outside: 'fd78::2' };
const captured = ['client', 'server'] as const;
const roles: readonly PodRole[] = [...captured, 'outside'];

type Family = {
  readonly pods: Readonly<Record<PodRole, string>>;
  /** Of the other links: of the client to the outside, and of the server to it. */
  readonly clientOutside: string;
  readonly serverOutside: string;
  readonly outsideServer: string;
  readonly length: number;
  readonly wildcard: string;
};

const families: Readonly<Record<4 | 6, Family>> = {
  4: {
    pods: podIps,
    clientOutside: '10.78.0.1',
    serverOutside: '10.79.0.1',
    outsideServer: '10.79.0.2',
    length: 24,
    wildcard: '0.0.0.0',
  },
  6: {
    pods: podIp6s,
    clientOutside: 'fd78::1',
    serverOutside: 'fd79::1',
    outsideServer: 'fd79::2',
    length: 64,
    wildcard: '::',
  },
};

export class CapturedPods implements AsyncDisposable {
  readonly #bed = new NamespaceBed();
  readonly #namespaces: Readonly<Record<PodRole, NetworkNamespace>>;
  readonly #sockets: net.Socket[] = [];
  readonly #servers: net.Server[] = [];

  readonly #version: 4 | 6;
  readonly #family: Family;

  /** @param options.version of IP; pods have addresses of this one only. @param options.ipv6 whether their kernel has IPv6 at all */
  constructor({ version = 4, ipv6 = true }: { readonly version?: 4 | 6; readonly ipv6?: boolean } = {}) {
    this.#version = version;
    this.#family = families[version];
    try {
      this.#namespaces = { client: this.#bed.add('client'), server: this.#bed.add('server'), outside: this.#bed.add('outside') };
      if (!ipv6) for (const role of roles) this.#bed.exec(role, 'sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1');
      const { pods, length } = this.#family;
      this.#bed.link(
        { namespace: 'client', device: 'eth0', addresses: [`${pods.client}/${length}`] },
        { namespace: 'server', device: 'eth0', addresses: [`${pods.server}/${length}`] },
      );
      this.#linkOutside();
      for (const role of captured) captureIn(this.#bed, role, version);
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
    const { fd } = listenSocket({ namespace: this.#namespaces[role], ip: this.#family.wildcard, port: 0 });
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

  /** The output of a program that runs as an application of a pod. */
  run(role: PodRole, command: string, ...args: string[]): Promise<string> {
    const inside = ['netns', 'exec', this.#bed.nameOf(role), command, ...args];
    return promisify(execFile)('ip', inside, { timeout: 10_000 }).then(({ stdout }) => stdout);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
    this.#bed[Symbol.dispose]();
  }

  #linkOutside(): void {
    const { pods, clientOutside, serverOutside, outsideServer, length } = this.#family;
    this.#bed.link(
      { namespace: 'client', device: 'eth1', addresses: [`${clientOutside}/${length}`] },
      { namespace: 'outside', device: 'eth0', addresses: [`${pods.outside}/${length}`] },
    );
    this.#bed.link(
      { namespace: 'server', device: 'eth1', addresses: [`${serverOutside}/${length}`] },
      { namespace: 'outside', device: 'eth1', addresses: [`${outsideServer}/${length}`] },
    );
    this.#bed.exec('outside', 'ip', `-${this.#version}`, 'route', 'add', pods.server, 'via', serverOutside);
  }
}
