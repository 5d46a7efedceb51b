import { once } from 'node:events';
import { closeSync } from 'node:fs';
import net from 'node:net';
import { expect } from 'chai';
import { afterEach, describe, it } from 'mocha';
import { connectTcp } from '../src/connect-tcp.ts';
import { SyscallError } from '../src/errno.ts';
import { listenSocket } from '../src/listen-socket.ts';
import type { ListenOptions } from '../src/listen-socket.ts';
import { descriptorOf } from '../src/socket-descriptor.ts';
import { readOption } from '../src/socket-options.ts';
import { openDescriptors } from '../src/testing/open-descriptors.ts';

const signal = AbortSignal.timeout(60_000);
const integer = (fd: number, level: number, name: number): number => Buffer.from(readOption(fd, level, name, 4)!).readInt32LE();

describe('listenSocket', () => {
  const cleanups: (() => void)[] = [];
  afterEach(() => {
    for (const cleanup of cleanups.splice(0)) cleanup();
  });

  async function serve(options: Partial<ListenOptions>): Promise<{ server: net.Server; port: number }> {
    const { fd } = listenSocket({ ip: '127.0.0.1', port: 0, ...options });
    const server = net.createServer().listen({ fd, backlog: 128 });
    cleanups.push(() => server.close());
    await once(server, 'listening');
    return { server, port: (server.address() as net.AddressInfo).port };
  }

  async function acceptOne(options: Partial<ListenOptions>, ip: string): Promise<{ accepted: net.Socket; client: net.Socket }> {
    const { server, port } = await serve(options);
    const connection = once(server, 'connection');
    const client = await connectTcp({ target: { ip, port } }, signal);
    const [accepted] = (await connection) as [net.Socket];
    cleanups.push(
      () => client.destroy(),
      () => accepted.destroy(),
    );
    return { accepted, client };
  }

  for (const ip of ['127.0.0.1', '::1']) {
    it(`takes ${ip} on the IPv6 wildcard`, async () => {
      const { accepted } = await acceptOne({ ip: '::' }, ip);
      expect(accepted.remoteAddress).to.be.oneOf([ip, `::ffff:${ip}`]);
    });
  }

  it('passes TCP_NODELAY and keep-alive 180/180/9 on to accepted sockets', async () => {
    const { accepted } = await acceptOne({ keepAlive: {} }, '127.0.0.1');
    const fd = descriptorOf(accepted)!;
    const seen = {
      noDelay: integer(fd, 6, 1),
      on: integer(fd, 1, 9),
      idle: integer(fd, 6, 4),
      every: integer(fd, 6, 5),
      count: integer(fd, 6, 6),
    };
    expect(seen).to.deep.equal({ noDelay: 1, on: 1, idle: 180, every: 180, count: 9 });
  });

  it('leaves keep-alive off unless asked (15008)', async () => {
    const { accepted } = await acceptOne({}, '127.0.0.1');
    expect(integer(descriptorOf(accepted)!, 1, 9)).to.equal(0);
  });

  it('sets TCP_USER_TIMEOUT to idle + interval × probes on request', async () => {
    const { accepted } = await acceptOne({ keepAlive: { userTimeout: true } }, '127.0.0.1');
    expect(integer(descriptorOf(accepted)!, 6, 18)).to.equal((180 + 180 * 9) * 1000);
  });

  it('sets TCP_USER_TIMEOUT without probes where those are not wanted', async () => {
    const { accepted } = await acceptOne({ keepAlive: { probing: false, userTimeout: true, probes: 1 } }, '127.0.0.1');
    const fd = descriptorOf(accepted)!;
    expect([integer(fd, 1, 9), integer(fd, 6, 18)]).to.deep.equal([0, 360_000]);
  });

  it('shares a port only under SO_REUSEPORT', async () => {
    const { port } = await serve({ reusePort: true });
    const second = listenSocket({ ip: '127.0.0.1', port, reusePort: true });
    closeSync(second.fd);
    expect(() => listenSocket({ ip: '127.0.0.1', port }))
      .to.throw(SyscallError, 'EADDRINUSE')
      .with.property('syscall', 'bind');
  });

  it('yields its port to another listener, and goes on alone when there is none', async () => {
    const first = listenSocket({ ip: '127.0.0.1', port: 0, reusePort: true });
    const accepted = { first: 0, second: 0 };
    const open = async ({ fd }: { readonly fd: number }, name: 'first' | 'second'): Promise<net.Server> => {
      const server = net.createServer((socket) => {
        accepted[name] += 1;
        socket.destroy();
      });
      server.listen({ fd, backlog: 128 });
      cleanups.push(() => server.close());
      await once(server, 'listening');
      return server;
    };
    const older = await open(first, 'first');
    const { port } = older.address() as net.AddressInfo;
    const connect = async (times: number): Promise<void> => {
      for (let time = 0; time < times; time++) {
        const socket = net.connect(port, '127.0.0.1').on('error', () => {});
        await once(socket, 'close');
      }
    };
    expect(first.yieldPort()).to.equal(true);
    await connect(5);
    expect(accepted).to.deep.equal({ first: 5, second: 0 });
    await open(listenSocket({ ip: '127.0.0.1', port, reusePort: true }), 'second');
    await connect(50);
    expect(accepted).to.deep.equal({ first: 5, second: 50 });
    older.close();
    await connect(5);
    expect(accepted.second).to.equal(55);
  });

  it('yields nothing that it does not share', () => {
    const { fd, yieldPort } = listenSocket({ ip: '127.0.0.1', port: 0 });
    expect(yieldPort()).to.equal(false);
    closeSync(fd);
  });

  it('leaves no descriptor behind when it fails', async () => {
    const { port } = await serve({});
    const before = openDescriptors();
    for (let i = 0; i < 10; i++) {
      expect(() => listenSocket({ ip: '127.0.0.1', port })).to.throw('EADDRINUSE');
      expect(() => listenSocket({ ip: 'not an address', port })).to.throw('EINVAL');
      expect(() => listenSocket({ ip: '203.0.113.9', port })).to.throw('EADDRNOTAVAIL');
    }
    expect(openDescriptors()).to.equal(before);
  });
});
