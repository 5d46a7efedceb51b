import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectTcp } from '@clearmesh/linux/connect-tcp';
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import { NamespaceBed } from '@clearmesh/linux/testing/namespace-bed';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import type { EnrolledPod } from '../../src/handover/enrolled-pods.ts';
import { HandoverServer } from '../../src/handover/handover-server.ts';
import { ACK, FakeProxy, SNAPSHOT_SENT } from './fake-proxy.ts';

const soon = (): AbortSignal => AbortSignal.timeout(5000);

/** Another process: dials, takes each namespace it is handed, greets on port 15008 there, and acknowledges. */
const PROXY = `
  import net from 'node:net';
  import { connectSeqpacket } from '@clearmesh/linux/seqpacket';
  import { NetworkNamespace } from '@clearmesh/linux/netns';
  import { listenSocket } from '@clearmesh/linux/listen-socket';
  const connection = await connectSeqpacket(process.env.SOCKET, AbortSignal.timeout(5000));
  connection.send(Buffer.from('0801', 'hex'));
  for (let packet; (packet = await connection.receive(AbortSignal.timeout(8000))) !== undefined; ) {
    for (const fd of packet.fds) {
      const namespace = NetworkNamespace.fromFd(fd);
      const listening = listenSocket({ namespace, ip: '::', port: 15008, mark: 0x539, transparent: 'required' });
      net.createServer((socket) => socket.end('greetings from ' + namespace.inode)).listen({ fd: listening.fd });
    }
    connection.send(Buffer.from('0a00', 'hex'));
  }
  process.exit(0);`;

describe('handing over namespaces', () => {
  let bed: NamespaceBed;
  let directory: string;
  let server: HandoverServer;
  let child: ChildProcess | undefined;

  beforeEach(() => {
    bed = new NamespaceBed();
    directory = mkdtempSync(join(tmpdir(), 'zds-'));
    server = HandoverServer.listen({ path: join(directory, 'z.sock') }, { clock: systemClock, logger: silentLogger });
  });
  afterEach(async () => {
    child?.kill('SIGKILL');
    child = undefined;
    await server[Symbol.asyncDispose]();
    bed[Symbol.dispose]();
    rmSync(directory, { recursive: true });
  });

  const pod = (name: string, netns: NetworkNamespace): EnrolledPod => ({
    uid: `uid-${name}`,
    name,
    namespace: 'bank',
    serviceAccount: 'sa',
    netns,
  });

  it('lets another process listen in each pod', async () => {
    const client = bed.add('client');
    const before = bed.add('before');
    const after = bed.add('after');
    for (const [index, name] of ['before', 'after'].entries()) {
      bed.link(
        { namespace: 'client', device: `to-${name}`, addresses: [`10.79.${index}.1/24`] },
        { namespace: name, device: 'eth0', addresses: [`10.79.${index}.2/24`] },
      );
    }
    await server.addPod(pod('before', before));
    child = spawn(process.execPath, ['--input-type=module', '--eval', PROXY], {
      cwd: import.meta.dirname,
      env: { ...process.env, SOCKET: join(directory, 'z.sock') },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    await server.proxyReady(soon());
    expect((await server.addPod(pod('after', after))).kind).to.equal('acked');
    for (const [index, netns] of [before, after].entries()) {
      const socket = await connectTcp({ namespace: client, target: { ip: `10.79.${index}.2`, port: 15008 } }, soon());
      expect(String(Buffer.concat(await socket.toArray()))).to.equal(`greetings from ${netns.inode}`);
    }
    const exit = once(child, 'exit', { signal: soon() });
    await server[Symbol.asyncDispose]();
    expect((await exit)[0], 'the proxy sees the agent leave').to.equal(0);
  });

  it('hands over the new namespace of a pod that got another', async () => {
    const [first, second] = [bed.add('first'), bed.add('second')];
    const proxy = await FakeProxy.dial(join(directory, 'z.sock'));
    await proxy.takeSnapshot();
    await server.proxyReady(soon());
    for (const netns of [first, second]) {
      const added = server.addPod(pod('a', netns));
      expect((await proxy.next())?.inodes).to.deep.equal([netns.inode]);
      proxy.send(ACK);
      expect((await added).kind).to.equal('acked');
    }
    const next = await FakeProxy.dial(join(directory, 'z.sock'));
    expect((await next.next())?.inodes, 'the snapshot has the new one only').to.deep.equal([second.inode]);
    next.send(ACK);
    expect((await next.next())?.hex).to.equal(SNAPSHOT_SENT);
    await proxy[Symbol.asyncDispose]();
    await next[Symbol.asyncDispose]();
  });

  it('keeps no namespace alive after the pod was removed', async () => {
    const netns = bed.add('pod');
    const { inode } = netns;
    await server.addPod(pod('a', netns));
    bed[Symbol.dispose]();
    await server.removePod('uid-a');
    const proxy = await FakeProxy.dial(join(directory, 'z.sock'));
    expect(await proxy.takeSnapshot()).to.deep.equal([SNAPSHOT_SENT]);
    expect(holdsNamespace(inode)).to.equal(false);
    await proxy[Symbol.asyncDispose]();
  });
});

function holdsNamespace(inode: bigint): boolean {
  return readdirSync('/proc/self/fd').some((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === `net:[${inode}]`;
    } catch {
      return false;
    }
  });
}
