import { execFile } from 'node:child_process';
import { closeSync, existsSync, fstatSync, mkdtempSync, openSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { SyscallError } from '../src/errno.ts';
import * as libc from '../src/libc.ts';
import { connectSeqpacket, listenSeqpacket } from '../src/seqpacket.ts';
import type { ReceivedPacket, SeqpacketConnection, SeqpacketListener } from '../src/seqpacket.ts';
import { openDescriptors } from '../src/testing/open-descriptors.ts';

const soon = (): AbortSignal => AbortSignal.timeout(5000);
const bytes = (text: string): Uint8Array => Buffer.from(text);
const textOf = (packet: ReceivedPacket | undefined): string => Buffer.from(packet?.bytes ?? []).toString();

describe('SOCK_SEQPACKET', () => {
  let directory: string;
  let path: string;
  let listener: SeqpacketListener;
  const open: AsyncDisposable[] = [];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'seqpacket-'));
    path = join(directory, 'z.sock');
    listener = listenSeqpacket(path);
    open.push(listener);
  });
  afterEach(async () => {
    for (const each of open.splice(0)) await each[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });

  async function pair(): Promise<[SeqpacketConnection, SeqpacketConnection]> {
    const accepting = listener.accept(soon());
    const dialled = await connectSeqpacket(path, soon());
    const accepted = (await accepting)!;
    open.push(dialled, accepted);
    return [dialled, accepted];
  }

  it('keeps the borders of packets, both ways', async () => {
    const [a, b] = await pair();
    a.send(bytes('one'));
    a.send(bytes('three'));
    expect(textOf(await b.receive(soon()))).to.equal('one');
    expect(textOf(await b.receive(soon()))).to.equal('three');
    const waiting = a.receive(soon());
    b.send(bytes('ack'));
    expect(textOf(await waiting)).to.equal('ack');
  });

  it('carries a descriptor: the receiver holds another number for the same file, close-on-exec', async () => {
    const [a, b] = await pair();
    const file = join(directory, 'file');
    writeFileSync(file, 'content');
    const fd = openSync(file, 'r');
    a.send(bytes('take this'), fd);
    const packet = (await b.receive(soon()))!;
    expect(packet).to.deep.include({ truncated: false });
    expect(packet.fds).to.have.lengthOf(1);
    const [received] = packet.fds as [number];
    expect(received).to.not.equal(fd);
    expect(fstatSync(received).ino).to.equal(fstatSync(fd).ino);
    expect(libc.fcntl(received, 1, 0), 'FD_CLOEXEC').to.equal(1);
    closeSync(fd);
    closeSync(received);
  });

  it('says when a packet was longer than 1024 bytes, and keeps no descriptor of it', async () => {
    const [a, b] = await pair();
    const before = openDescriptors();
    const fd = openSync('/dev/null', 'r');
    a.send(Buffer.alloc(2000), fd);
    closeSync(fd);
    const packet = (await b.receive(soon()))!;
    expect(packet).to.deep.include({ truncated: true, fds: [] });
    expect(packet.bytes).to.have.lengthOf(1024);
    expect(openDescriptors()).to.equal(before);
    a.send(bytes('next'));
    expect(textOf(await b.receive(soon()))).to.equal('next');
  });

  for (const { count, kept, truncated } of [
    { count: 2, kept: 2, truncated: false },
    { count: 8, kept: 8, truncated: false },
    { count: 9, kept: 0, truncated: true },
  ]) {
    it(`given ${count} descriptors in one packet, hands on ${kept}${truncated ? ' and says truncated' : ''}`, async () => {
      const [a, b] = await pair();
      const before = openDescriptors();
      sendManyDescriptors(a, count);
      const packet = (await b.receive(soon()))!;
      expect(packet.fds).to.have.lengthOf(kept);
      expect(packet.truncated).to.equal(truncated);
      for (const fd of packet.fds) closeSync(fd);
      expect(openDescriptors()).to.equal(before);
    });
  }

  it('ends for the other side when one closes, also while it waits', async () => {
    const [a, b] = await pair();
    const waiting = b.receive(soon());
    await a[Symbol.asyncDispose]();
    expect(await waiting).to.equal(undefined);
    expect(await b.receive(soon())).to.equal(undefined);
    expect(() => b.send(bytes('x'))).to.throw(SyscallError, 'EPIPE');
  });

  it('ends for the other side when one closes with packets unread', async () => {
    const [a, b] = await pair();
    b.send(bytes('never read'));
    await a[Symbol.asyncDispose]();
    expect(await b.receive(soon())).to.equal(undefined);
  });

  it('ends an own pending receive or accept on dispose', async () => {
    const [a] = await pair();
    const receiving = a.receive(soon());
    const accepting = listener.accept(soon());
    await a[Symbol.asyncDispose]();
    await listener[Symbol.asyncDispose]();
    expect(await receiving).to.equal(undefined);
    expect(await accepting).to.equal(undefined);
    expect(() => a.send(bytes('x'))).to.throw(SyscallError, 'EBADF');
    expect(await a.receive(soon())).to.equal(undefined);
  });

  it('rejects a pending receive with the reason of its signal, and receives again afterwards', async () => {
    const [a, b] = await pair();
    const controller = new AbortController();
    const waiting = b.receive(controller.signal).catch((error: unknown) => error);
    controller.abort('deadline');
    expect(await waiting).to.equal('deadline');
    a.send(bytes('later'));
    expect(textOf(await b.receive(soon()))).to.equal('later');
  });

  it('refuses a second receive while one waits', async () => {
    const [, b] = await pair();
    const controller = new AbortController();
    const first = b.receive(controller.signal).catch(() => 'aborted');
    expect(await b.receive(soon()).catch(String)).to.include('already under way');
    controller.abort();
    expect(await first).to.equal('aborted');
  });

  it('throws EAGAIN rather than wait for a peer that does not read', async () => {
    const [a] = await pair();
    expect(() => {
      for (let i = 0; i < 100_000; i++) a.send(Buffer.alloc(1024));
    }).to.throw(SyscallError, 'EAGAIN');
  });

  it('leaves libuv’s threads free while more receives wait than there are threads', async () => {
    const pairs = [await pair()];
    for (let i = 0; i < 7; i++) pairs.push(await pair());
    const controller = new AbortController();
    const waiting = pairs.map(([a]) => a.receive(controller.signal).catch(() => 'aborted'));
    expect((await readFile('/proc/self/status', 'utf8')).length).to.be.greaterThan(0);
    controller.abort();
    expect(new Set(await Promise.all(waiting))).to.deep.equal(new Set(['aborted']));
  });

  it('has a path that only the owner may dial', () => {
    expect(statSync(path).mode & 0o777).to.equal(0o600);
  });

  it('replaces a socket file nobody serves, but no other file', async () => {
    const successor = listenSeqpacket(path);
    open.push(successor);
    const file = join(directory, 'precious');
    writeFileSync(file, '');
    expect(() => listenSeqpacket(file)).to.throw(SyscallError, 'EADDRINUSE');
    const link = join(directory, 'link');
    symlinkSync(file, link);
    expect(() => listenSeqpacket(link)).to.throw(SyscallError, 'EADDRINUSE');
    expect(existsSync(file)).to.equal(true);
  });

  it('removes its file on dispose unless a successor put its own there', async () => {
    const successor = listenSeqpacket(path);
    await listener[Symbol.asyncDispose]();
    expect(existsSync(path)).to.equal(true);
    await successor[Symbol.asyncDispose]();
    expect(existsSync(path)).to.equal(false);
  });

  it('says at once when nobody listens, or the path is too long', async () => {
    expect(await connectSeqpacket(join(directory, 'none'), soon()).catch((e: SyscallError) => e.code)).to.equal('ENOENT');
    expect(() => listenSeqpacket(`/tmp/${'x'.repeat(110)}`)).to.throw(SyscallError, 'ENAMETOOLONG');
  });

  it('returns every descriptor', async () => {
    const round = async (): Promise<void> => {
      const [a, b] = await pair();
      const fd = openSync('/dev/null', 'r');
      a.send(bytes('x'), fd);
      closeSync(fd);
      for (const received of (await b.receive(soon()))!.fds) closeSync(received);
      await a[Symbol.asyncDispose]();
      await b.receive(soon());
      await b[Symbol.asyncDispose]();
      await connectSeqpacket('/nonexistent', soon()).catch(() => {});
    };
    await round();
    const before = openDescriptors();
    for (let i = 0; i < 20; i++) await round();
    expect(openDescriptors()).to.equal(before);
  });

  it('holds the process open only while something waits', async () => {
    const script = `
      import { listenSeqpacket, connectSeqpacket } from ${JSON.stringify(new URL('../src/seqpacket.ts', import.meta.url).href)};
      const listener = listenSeqpacket(${JSON.stringify(join(directory, 'child.sock'))});
      const accepting = listener.accept(AbortSignal.timeout(5000));
      const a = await connectSeqpacket(listener.path, AbortSignal.timeout(5000));
      const b = await accepting;
      setTimeout(() => b.send(Buffer.from('late')), 50);
      console.log(Buffer.from((await a.receive(AbortSignal.timeout(5000))).bytes).toString());
    `;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], { timeout: 8000 });
    expect(stdout).to.equal('late\n');
  });
});

/** What no honest peer does: the wire form is built by hand. */
function sendManyDescriptors(connection: SeqpacketConnection, count: number): void {
  const fd = openSync('/dev/null', 'r');
  const control = Buffer.alloc(16 + Math.ceil((count * 4) / 8) * 8);
  control.writeBigUInt64LE(BigInt(16 + count * 4), 0);
  control.writeInt32LE(1, 8);
  control.writeInt32LE(1, 12);
  for (let i = 0; i < count; i++) control.writeInt32LE(fd, 16 + i * 4);
  const base = Buffer.from('x');
  const iov = [{ base, length: 1 }];
  const message = { name: null, nameLength: 0, iov, iovLength: 1, control, controlLength: control.length, flags: 0 };
  libc.check(libc.sendmsg(connection.fd, message, 0), 'sendmsg');
  closeSync(fd);
}
