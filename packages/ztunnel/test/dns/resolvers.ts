/** A resolver that knows what a test tells it, over UDP and TCP on one port, and ports for others. */
import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import { socketAddress } from '@clearmesh/shared/testing/builders';
import { MessageStream, framed } from '../../src/dns/message-stream.ts';

/** The answer to a message, now or later, or none. */
export type Answering = (message: Buffer, protocol: 'udp' | 'tcp') => Promise<Buffer | undefined> | Buffer | undefined;

/** A port of 127.0.0.1 that both protocols have free now. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  return port;
}

export class FakeResolver implements AsyncDisposable {
  readonly address: SocketAddress;
  /** Each message it got, and by which protocol. */
  readonly seen: { readonly message: Buffer; readonly protocol: 'udp' | 'tcp' }[] = [];
  readonly #udp: dgram.Socket;
  readonly #tcp: net.Server;
  readonly #open = new Set<net.Socket>();

  private constructor(port: number, udp: dgram.Socket, tcp: net.Server, answer: Answering) {
    this.address = socketAddress(`127.0.0.1:${port}`);
    this.#udp = udp;
    this.#tcp = tcp;
    udp.on('message', (message, from) => void this.#recvDatagram(message, from, answer));
    tcp.on('connection', (socket) => void this.#converse(socket, answer));
  }

  static async start(answer: Answering): Promise<FakeResolver> {
    const port = await freePort();
    const udp = dgram.createSocket('udp4').bind(port, '127.0.0.1');
    const tcp = net.createServer().listen(port, '127.0.0.1');
    await Promise.all([once(udp, 'listening'), once(tcp, 'listening')]);
    return new FakeResolver(port, udp, tcp, answer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    this.#tcp.close();
    this.#udp.close();
    await Promise.all([once(this.#tcp, 'close'), once(this.#udp, 'close')]);
  }

  async #recvDatagram(message: Buffer, from: dgram.RemoteInfo, answer: Answering): Promise<void> {
    this.seen.push({ message, protocol: 'udp' });
    const bytes = await answer(message, 'udp');
    if (bytes !== undefined) this.#udp.send(bytes, from.port, from.address);
  }

  async #converse(socket: net.Socket, answer: Answering): Promise<void> {
    this.#open.add(socket.on('error', () => {}));
    try {
      for await (const message of new MessageStream(socket)) {
        this.seen.push({ message, protocol: 'tcp' });
        const bytes = await answer(message, 'tcp');
        if (bytes !== undefined) socket.write(framed(bytes));
      }
    } catch {
      // The asker may go at any time.
    } finally {
      this.#open.delete(socket);
    }
  }
}
