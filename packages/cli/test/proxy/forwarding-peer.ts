/**
 * The port-forward of an API server, as far as one GET needs it: a web socket (RFC 6455) whose messages begin with the
 * number of a channel, 0 for data and 1 for errors; each channel begins with the port, little-endian.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { KubeConfig } from '@kubernetes/client-node';

export type Behaviour =
  /** What the port answers, cut into these pieces. */
  | { readonly kind: 'answers'; readonly pieces: readonly string[] }
  /** What kubelet says of a port that nobody listens on. */
  | { readonly kind: 'fails'; readonly error: string }
  | { readonly kind: 'refuses'; readonly status: number };

export class ForwardingPeer implements AsyncDisposable {
  readonly kubeConfig: KubeConfig = new KubeConfig();
  /** `METHOD path` of each request that came through a port, and the path of each forward. */
  readonly asked: string[] = [];
  readonly #server = createServer();
  readonly #sockets = new Set<Socket>();

  static async start(behaviour: Behaviour): Promise<ForwardingPeer> {
    const peer = new ForwardingPeer();
    peer.#server.on('upgrade', (request, socket: Socket) => {
      peer.#sockets.add(socket);
      peer.asked.push(request.url ?? '');
      if (behaviour.kind === 'refuses') return void socket.end(`HTTP/1.1 ${behaviour.status} no\r\nContent-Length: 0\r\n\r\n`);
      const key = createHash('sha1')
        .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
        .digest('base64');
      const [protocol] = (request.headers['sec-websocket-protocol'] ?? '').split(',');
      socket.write(
        `HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${key}\r\nSec-WebSocket-Protocol: ${protocol}\r\n\r\n`,
      );
      peer.#forward(socket, behaviour);
    });
    peer.#server.listen(0, '127.0.0.1');
    await once(peer.#server, 'listening');
    const { port } = peer.#server.address() as AddressInfo;
    peer.kubeConfig.loadFromClusterAndUser(
      { name: 'peer', server: `http://127.0.0.1:${port}`, skipTLSVerify: true },
      { name: 'nobody' },
    );
    return peer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #forward(socket: Socket, behaviour: Exclude<Behaviour, { readonly kind: 'refuses' }>): void {
    const send = (channel: number, data: Buffer): void => void socket.write(frame(Buffer.concat([Buffer.from([channel]), data])));
    const port = Buffer.from([0x98, 0x3a]);
    send(0, port);
    send(1, port);
    if (behaviour.kind === 'fails') send(1, Buffer.from(behaviour.error));
    socket.on('data', (bytes: Buffer) => {
      const text = unmasked(bytes).toString('utf8');
      const line = /[A-Z]+ \S+(?= HTTP)/.exec(text)?.[0];
      if (line === undefined) return;
      this.asked.push(line);
      if (behaviour.kind === 'answers') for (const piece of behaviour.pieces) send(0, Buffer.from(piece));
    });
    socket.on('error', () => {});
  }
}

/** One binary message, unmasked as servers send it. */
function frame(payload: Buffer): Buffer {
  const long = payload.length > 125;
  const head = long ? Buffer.from([0x82, 126, payload.length >> 8, payload.length & 0xff]) : Buffer.from([0x82, payload.length]);
  return Buffer.concat([head, payload]);
}

/** The message of a frame shorter than 64 KiB; clients mask theirs. */
function unmasked(bytes: Buffer): Buffer {
  const start = (bytes[1] ?? 0) % 128 === 126 ? 4 : 2;
  const mask = bytes.subarray(start, start + 4);
  return Buffer.from(bytes.subarray(start + 4).map((byte, index) => byte ^ (mask[index % 4] ?? 0)));
}
