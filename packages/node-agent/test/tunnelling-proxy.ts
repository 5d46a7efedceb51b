/**
 * A node proxy that carries connections, in small: what a pod sends to a pod of the mesh goes to that one's 15008, in plain text
 * here, behind a line that names its destination; plaintext from elsewhere is refused, as under STRICT.
 */
import { once } from 'node:events';
import net from 'node:net';
import { pipeline } from 'node:stream';
import { connectTcp } from '@clearmesh/linux/connect-tcp';
import type { ConnectOptions } from '@clearmesh/linux/connect-tcp';
import { listenSocket } from '@clearmesh/linux/listen-socket';
import { NetworkNamespace } from '@clearmesh/linux/netns';
import { originalDestination } from '@clearmesh/linux/original-destination';
import { connectSeqpacket } from '@clearmesh/linux/seqpacket';
import type { SeqpacketConnection } from '@clearmesh/linux/seqpacket';
import { decodeZdsRequest, encodeAck, encodeHello } from '@clearmesh/shared/wire/zds';
import { PROXY_MARK } from '../src/redirect/pod-rules.ts';

type Address = { readonly ip: string; readonly port: number };

/** The listeners of one pod; connections that were accepted go on after them. */
class ServedPod {
  readonly netns: NetworkNamespace;
  readonly #servers: readonly net.Server[];

  constructor(netns: NetworkNamespace, recv: Readonly<Record<number, (socket: net.Socket) => Promise<void>>>) {
    this.netns = netns;
    this.#servers = Object.entries(recv).map(([port, serve]) => {
      const { fd } = listenSocket({
        namespace: netns,
        ip: '0.0.0.0',
        port: Number(port),
        mark: PROXY_MARK,
        transparent: 'required',
      });
      const server = new net.Server({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
        socket.on('error', () => {});
        void serve(socket).catch(() => void socket.destroy());
      });
      return server.listen({ fd });
    });
  }

  close(): void {
    for (const server of this.#servers) server.close();
  }
}

export class TunnellingProxy implements AsyncDisposable {
  /** Connections by what became of them. */
  readonly counts = { tunnelled: 0, direct: 0, refused: 0 };
  #connection: SeqpacketConnection;
  readonly #isInMesh: (ip: string) => boolean;
  readonly #pods = new Map<string, ServedPod>();
  readonly #namespaces: NetworkNamespace[] = [];
  readonly #sockets = new Set<net.Socket>();
  readonly #stop = new AbortController();
  #running: Promise<void>;

  private constructor(connection: SeqpacketConnection, isInMesh: (ip: string) => boolean) {
    this.#connection = connection;
    this.#isInMesh = isInMesh;
    connection.send(encodeHello());
    this.#running = this.#obey();
  }

  static async dial(path: string, isInMesh: (ip: string) => boolean): Promise<TunnellingProxy> {
    return new TunnellingProxy(await connectSeqpacket(path, AbortSignal.timeout(5_000)), isInMesh);
  }

  /** The agent has gone and another one is there: what is served is served on meanwhile. */
  async redial(path: string): Promise<void> {
    const next = await connectSeqpacket(path, AbortSignal.timeout(5_000));
    await this.#running;
    await this.#connection[Symbol.asyncDispose]();
    this.#connection = next;
    next.send(encodeHello());
    this.#running = this.#obey();
  }

  get pods(): number {
    return this.#pods.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.#connection[Symbol.asyncDispose]();
    for (const pod of this.#pods.values()) pod.close();
    for (const socket of this.#sockets) socket.destroy();
    for (const netns of this.#namespaces.splice(0)) netns[Symbol.dispose]();
  }

  async #obey(): Promise<void> {
    const { signal } = this.#stop;
    for (;;) {
      const packet = await this.#connection.receive(signal).catch(() => undefined);
      if (packet === undefined) return;
      const request = decodeZdsRequest(packet.bytes);
      if (request.kind === 'add') this.#add(request.uid, NetworkNamespace.fromFd(packet.fds[0] ?? -1));
      if (request.kind === 'del') this.#remove(request.uid);
      this.#connection.send(encodeAck(''));
    }
  }

  #add(uid: string, netns: NetworkNamespace): void {
    this.#namespaces.push(netns);
    if (this.#pods.has(uid)) return;
    const recv = {
      15_001: (socket: net.Socket): Promise<void> => this.#recvOutbound(netns, socket),
      15_006: async (socket: net.Socket): Promise<void> => this.#recvPlaintext(socket),
      15_008: (socket: net.Socket): Promise<void> => this.#recvTunnel(netns, socket),
    };
    this.#pods.set(uid, new ServedPod(netns, recv));
  }

  #remove(uid: string): void {
    this.#pods.get(uid)?.close();
    this.#pods.delete(uid);
  }

  async #recvOutbound(namespace: NetworkNamespace, socket: net.Socket): Promise<void> {
    const to = originalDestination(socket);
    if (to === undefined) return void socket.destroy();
    const isTunnelled = this.#isInMesh(to.ip);
    this.counts[isTunnelled ? 'tunnelled' : 'direct']++;
    const far = await this.#connect({ namespace, target: isTunnelled ? { ...to, port: 15_008 } : to });
    if (isTunnelled) far.write(`${to.ip} ${to.port}\n`);
    this.#join(socket, far);
  }

  #recvPlaintext(socket: net.Socket): void {
    this.counts.refused++;
    socket.destroy();
  }

  async #recvTunnel(namespace: NetworkNamespace, socket: net.Socket): Promise<void> {
    const [first] = (await once(socket.resume(), 'data')) as [Buffer];
    socket.pause();
    const end = first.indexOf('\n');
    const [ip = '', port = ''] = first.subarray(0, end).toString().split(' ');
    const source = { ip: socket.remoteAddress ?? '', transparent: true } as const;
    const application = await this.#connect({ namespace, target: { ip, port: Number(port) }, source });
    application.write(first.subarray(end + 1));
    this.#join(socket, application);
  }

  #connect(options: Omit<ConnectOptions, 'mark'> & { readonly target: Address }): Promise<net.Socket> {
    return connectTcp({ ...options, mark: PROXY_MARK, allowHalfOpen: true }, AbortSignal.timeout(5_000));
  }

  #join(left: net.Socket, right: net.Socket): void {
    for (const socket of [left, right]) {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    }
    for (const [from, to] of [
      [left, right],
      [right, left],
    ] as const)
      pipeline(from, to, (error) => error && (left.destroy(), right.destroy()));
  }
}
