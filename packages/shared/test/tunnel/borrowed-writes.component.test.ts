import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { systemClock } from '../../src/lifecycle/clock.ts';
import { relay } from '../../src/net/relay.ts';
import { serverSettings } from '../../src/tunnel/engine-settings.ts';
import { createEngine } from '../../src/tunnel/engine-choice.ts';
import { FramedStream } from '../../src/tunnel/framed-stream.ts';

const hashOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

async function listening(server: net.Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as net.AddressInfo).port;
}

/** An echo behind a tunnel; `front` is where clients connect, and their connections share one tunnel connection. */
async function tunnelledEcho(
  stack: AsyncDisposableStack,
  before: (socket: net.Socket) => Promise<void> = async () => {},
): Promise<number> {
  const engine = createEngine('framed', { clock: systemClock });
  const never = new AbortController().signal;
  const far = net.createServer((socket) => {
    engine.serve(socket, serverSettings, (incoming) => {
      const stream = incoming.accept({});
      stream.pipe(stream);
    });
  });
  const tunnel = net.connect(await listening(far), '127.0.0.1');
  await once(tunnel, 'connect');
  const session = await engine.connect(tunnel, serverSettings);
  const front = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    void session.open({ authority: '10.0.0.1:80', headers: {} }, never).then(async (opened) => {
      await before(socket);
      if (opened.kind !== 'open') throw new Error(opened.kind);
      expect(opened.stream).to.be.instanceOf(FramedStream);
      return relay(socket, opened.stream, { clock: systemClock }, never);
    });
  });
  stack.defer(() => void front.close());
  stack.defer(() => void far.close());
  stack.defer(() => void tunnel.destroy());
  return listening(front);
}

describe('a socket relayed into a tunnel stream', () => {
  it('is read into a buffer that others use too, and every byte of each arrives as it was, slow readers or not', async () => {
    await using stack = new AsyncDisposableStack();
    const port = await tunnelledEcho(stack);
    const ends = await Promise.all(
      [0, 1, 2, 3].map(async (index) => {
        const sent = randomBytes(3 * 1024 * 1024 + index * 7);
        const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
        socket.end(sent);
        const chunks: Buffer[] = [];
        for await (const chunk of socket) {
          chunks.push(chunk as Buffer);
          if (index % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
        }
        return hashOf(Buffer.concat(chunks)) === hashOf(sent);
      }),
    );
    expect(ends).to.deep.equal([true, true, true, true]);
  });

  it('is read no further while the tunnel has no room, and goes on when it has', async () => {
    await using stack = new AsyncDisposableStack();
    const accepted = Promise.withResolvers<net.Socket>();
    const port = await tunnelledEcho(stack, (socket) => Promise.resolve(accepted.resolve(socket)));
    const sent = randomBytes(2 * 1024 * 1024);
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    await once(socket, 'connect');
    let pauses = 0;
    socket.end(sent);
    const near = await accepted.promise;
    near.on('pause', () => (pauses += 1));
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    expect(hashOf(Buffer.concat(chunks))).to.equal(hashOf(sent));
    expect(pauses).to.be.greaterThan(2);
    expect(near.readableLength).to.equal(0);
  });

  it('tells what had been read before, and what was put back, once', async () => {
    await using stack = new AsyncDisposableStack();
    const port = await tunnelledEcho(stack, async (socket) => {
      socket.read(0);
      while (socket.readableLength < 4) await new Promise((resolve) => setImmediate(resolve));
      socket.unshift(Buffer.from('put back, '));
    });
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.write('read');
    let heard = '';
    for await (const chunk of socket) {
      heard += String(chunk);
      if (heard === 'put back, read') socket.end(', and after');
    }
    expect(heard).to.equal('put back, read, and after');
  });

  it('keeps small questions and answers apart, in order', async () => {
    await using stack = new AsyncDisposableStack();
    const port = await tunnelledEcho(stack);
    const sockets = await Promise.all(
      [0, 1, 2].map(async () => {
        const socket = net.connect(port, '127.0.0.1');
        await once(socket, 'connect');
        return socket;
      }),
    );
    for (let round = 0; round < 50; round += 1) {
      const answers = sockets.map(async (socket, index) => {
        socket.write(`${index}:${round};`);
        return String((await once(socket, 'data'))[0]);
      });
      expect(await Promise.all(answers)).to.deep.equal([0, 1, 2].map((index) => `${index}:${round};`));
    }
    for (const socket of sockets) socket.destroy();
  });
});
