import { once } from 'node:events';
import net from 'node:net';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { connectTcp } from '../src/connect-tcp.ts';
import { SyscallError } from '../src/errno.ts';
import { listenSocket } from '../src/listen-socket.ts';
import type { ListenOptions } from '../src/listen-socket.ts';
import type { NetworkNamespace } from '../src/netns.ts';
import { originalDestination } from '../src/original-destination.ts';
import { outgoingSocket } from '../src/outgoing-socket.ts';
import { descriptorOf } from '../src/socket-descriptor.ts';
import { readOption } from '../src/socket-options.ts';
import { NamespaceBed } from '../src/testing/namespace-bed.ts';
import { openDescriptors } from '../src/testing/open-descriptors.ts';
import { closeSync, writeFileSync } from 'node:fs';

const MARK = 0x539;
const families = [
  { family: 4, client: '10.77.0.1', pod: '10.77.0.2', foreign: '203.0.113.7', service: '198.51.100.1' },
  { family: 6, client: 'fd77::1', pod: 'fd77::2', foreign: '2001:db8::7', service: '2001:db8:1::1' },
] as const;

const soon = (): AbortSignal => AbortSignal.timeout(5000);
const plain = (ip: string | undefined): string | undefined => ip?.replace(/^::ffff:/, '');

describe('sockets in another namespace', () => {
  let bed: NamespaceBed;
  let client: NetworkNamespace;
  let pod: NetworkNamespace;
  const cleanups: (() => void)[] = [];

  beforeEach(() => {
    bed = new NamespaceBed();
    client = bed.add('client');
    pod = bed.add('pod');
    bed.link(
      { namespace: 'client', device: 'eth0', addresses: ['10.77.0.1/24', 'fd77::1/64'] },
      { namespace: 'pod', device: 'eth0', addresses: ['10.77.0.2/24', 'fd77::2/64'] },
    );
  });
  afterEach(() => {
    for (const cleanup of cleanups.splice(0)) cleanup();
    bed[Symbol.dispose]();
  });

  async function serve(
    options: Omit<ListenOptions, 'ip'> & { ip?: string },
  ): Promise<{ server: net.Server; transparent: boolean }> {
    const { fd, transparent } = listenSocket({ ip: '::', ...options });
    const server = net.createServer().listen({ fd });
    cleanups.push(() => server.close());
    await once(server, 'listening');
    return { server, transparent };
  }

  async function connect(
    server: net.Server,
    options: Parameters<typeof connectTcp>[0],
  ): Promise<{ out: net.Socket; accepted: net.Socket }> {
    const connection = once(server, 'connection', { signal: soon() });
    const out = await connectTcp(options, soon());
    const [accepted] = (await connection) as [net.Socket];
    cleanups.push(
      () => out.destroy(),
      () => accepted.destroy(),
    );
    return { out, accepted };
  }

  for (const { family, client: from, pod: to, foreign, service } of families) {
    it(`listens in the pod and is reached from the client over IPv${family}`, async () => {
      const { server } = await serve({ namespace: pod, port: 15001 });
      const { accepted } = await connect(server, { namespace: client, target: { ip: to, port: 15001 } });
      expect(plain(accepted.remoteAddress)).to.equal(from);
      expect(originalDestination(accepted)).to.be.oneOf([undefined, { ip: to, port: 15001 }]);
    });

    it(`gets the original destination of a redirected connection over IPv${family}`, async () => {
      const rule = 'tcp dport 80 redirect to :15001';
      bed.exec(
        'pod',
        'nft',
        `add table inet t; add chain inet t pre { type nat hook prerouting priority dstnat; }; add rule inet t pre ${rule}`,
      );
      bed.exec('pod', 'ip', 'address', 'add', service, 'dev', 'lo');
      bed.exec('client', 'ip', `-${family}`, 'route', 'add', service, 'via', to);
      const { server } = await serve({ namespace: pod, port: 15001 });
      const { accepted } = await connect(server, { namespace: client, target: { ip: service, port: 80 } });
      expect(originalDestination(accepted)).to.deep.equal({ ip: service, port: 80 });
      accepted.destroy();
      expect(originalDestination(accepted)).to.equal(undefined);
    });

    it(`connects in the name of another address over IPv${family}`, async () => {
      // The return path: what the redirection's policy route does for marked replies.
      bed.exec('pod', 'ip', `-${family}`, 'route', 'add', 'local', foreign, 'dev', 'lo');
      const { server } = await serve({ namespace: pod, port: 8080, ip: to });
      const source = { ip: foreign, transparent: true } as const;
      const { out, accepted } = await connect(server, { namespace: pod, target: { ip: to, port: 8080 }, mark: MARK, source });
      expect(accepted.remoteAddress).to.equal(foreign);
      expect(out.localAddress).to.equal(foreign);
      out.write('ping');
      expect(String((await once(accepted, 'data', { signal: soon() }))[0])).to.equal('ping');
      accepted.end('pong');
      expect(String(Buffer.concat(await out.toArray()))).to.equal('pong');
    });

    it(`connects from an own address when the source is the target itself over IPv${family}`, async () => {
      const { server } = await serve({ namespace: pod, port: 8080, ip: to });
      const source = { ip: to, transparent: true } as const;
      const { out } = await connect(server, { namespace: pod, target: { ip: to, port: 8080 }, source });
      expect(readOption(descriptorOf(out)!, family === 4 ? 0 : 41, family === 4 ? 19 : 75, 4)?.[0], 'transparent').to.equal(0);
    });
  }

  it('marks listeners and what they accept, and outgoing sockets', async () => {
    const { server } = await serve({ namespace: pod, port: 15008, mark: MARK });
    const { out, accepted } = await connect(server, { namespace: client, target: { ip: '10.77.0.2', port: 15008 }, mark: MARK });
    const marks = [accepted, out].map((socket) => Buffer.from(readOption(descriptorOf(socket)!, 1, 36, 4)!).readUInt32LE());
    expect(marks).to.deep.equal([MARK, MARK]);
  });

  it('tells that a listener is transparent', async () => {
    expect((await serve({ namespace: pod, port: 15001, transparent: 'required' })).transparent).to.equal(true);
    expect((await serve({ namespace: pod, port: 15006, transparent: 'best-effort' })).transparent).to.equal(true);
    expect((await serve({ namespace: pod, port: 15008 })).transparent).to.equal(false);
  });

  it('connects unspoofed, with the reason, when the source is of the wrong family', async () => {
    const { server } = await serve({ namespace: pod, port: 8080 });
    const refusals: SyscallError[] = [];
    const source = { ip: 'fd00::1', transparent: true } as const;
    const onUnspoofed = (cause: SyscallError): void => void refusals.push(cause);
    await connect(server, { namespace: client, target: { ip: '10.77.0.2', port: 8080 }, source, onUnspoofed });
    expect(refusals.map(({ syscall, code }) => [syscall, code])).to.deep.equal([['bind', 'EAFNOSUPPORT']]);
  });

  it('serves the same port in many namespaces at once', async () => {
    await serve({ namespace: pod, port: 15001 });
    await serve({ namespace: client, port: 15001 });
    expect(() => listenSocket({ namespace: pod, ip: '::', port: 15001 })).to.throw(SyscallError, 'EADDRINUSE');
  });

  it('takes IPv4 on the wildcard where the pod has IPv6 switched off', async () => {
    const sysctl = '/proc/sys/net/ipv6/conf/all/disable_ipv6';
    pod.run(() => writeFileSync(sysctl, '1'));
    const { server } = await serve({ namespace: pod, port: 15001 });
    const { accepted } = await connect(server, { namespace: client, target: { ip: '10.77.0.2', port: 15001 } });
    expect(plain(accepted.remoteAddress)).to.equal('10.77.0.1');
  });

  it('returns every descriptor, also of sockets that failed', () => {
    const round = (): void => {
      closeSync(listenSocket({ namespace: pod, ip: '::', port: 15001, transparent: 'required' }).fd);
      expect(() => listenSocket({ namespace: pod, ip: '192.0.2.1', port: 15001 })).to.throw('EADDRNOTAVAIL');
      closeSync(outgoingSocket({ namespace: pod, family: 4, source: { ip: '192.0.2.1', transparent: true } }).fd);
      const refused = outgoingSocket({ namespace: pod, family: 4, source: { ip: '::1', transparent: true } });
      expect(refused.spoofed).to.equal(false);
      closeSync(refused.fd);
      const unreadable = outgoingSocket({ namespace: pod, family: 4, source: { ip: 'x', transparent: true } });
      expect(unreadable.refusal?.code).to.equal('EINVAL');
      closeSync(unreadable.fd);
    };
    round();
    const before = openDescriptors();
    for (let i = 0; i < 10; i++) round();
    expect(openDescriptors()).to.equal(before);
  });

  describe('without privileges in the namespace', () => {
    it('throws EPERM for a mark rather than connect unmarked', async () => {
      const script = `
        import { outgoingSocket } from ${JSON.stringify(new URL('../src/outgoing-socket.ts', import.meta.url).href)};
        import { listenSocket } from ${JSON.stringify(new URL('../src/listen-socket.ts', import.meta.url).href)};
        process.setgid(65534); process.setuid(65534);
        const attempt = (task) => { try { return task(); } catch (error) { return error.code; } };
        const spoof = outgoingSocket({ family: 4, source: { ip: '192.0.2.1', transparent: true } });
        console.log(JSON.stringify([
          attempt(() => outgoingSocket({ family: 4, mark: 1337 })),
          [spoof.spoofed, spoof.refusal.code],
          attempt(() => listenSocket({ ip: '127.0.0.1', port: 0, transparent: 'required' })),
          attempt(() => listenSocket({ ip: '127.0.0.1', port: 0, transparent: 'best-effort' }).transparent),
        ]));
        process.exit();`;
      expect(JSON.parse(bed.exec('client', process.execPath, '--input-type=module', '--eval', script))).to.deep.equal([
        'EPERM',
        [false, 'EPERM'],
        'EPERM',
        false,
      ]);
    });
  });
});
