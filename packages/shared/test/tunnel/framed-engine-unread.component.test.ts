/** Readers that stop, on many tunnels of one engine: what they leave unread is bounded, and nobody is cut. */
import type { Duplex } from 'node:stream';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { systemClock } from '../../src/lifecycle/clock.ts';
import { FramedEngine } from '../../src/tunnel/framed-engine.ts';
import { until } from './bounded.ts';
import { openRig, readAll } from './compliance/rig.ts';
import type { Rig } from './compliance/rig.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const window = { connectionWindow: 2 * MIB };

/** Writes as long as the stream takes it. */
function pump(stream: Duplex): void {
  const write = (): void => {
    while (stream.writable && stream.write(Buffer.alloc(64 * KIB)));
  };
  stream.on('drain', write);
  write();
}

/** What is unread, once that grows no more. */
async function settled(engine: FramedEngine): Promise<number> {
  for (let before = -1, now = engine.unreadBytes; ; before = now, now = engine.unreadBytes) {
    if (before === now && now > 0) return now;
    for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('an engine whose readers stop', () => {
  let stack: AsyncDisposableStack;
  let engine: FramedEngine;
  beforeEach(() => {
    stack = new AsyncDisposableStack();
    engine = new FramedEngine({ clock: systemClock }, { unreadLimit: 4 * MIB });
  });
  afterEach(() => stack.disposeAsync());

  const open = async (): Promise<Rig> => stack.use(await openRig(() => engine, { client: window, server: window }));

  it('holds its limit, and no more than a window of each tunnel beyond, while others pass', async () => {
    const rigs = [await open(), await open()];
    const streams = await Promise.all(rigs.flatMap((rig) => Array.from({ length: 6 }, () => rig.stream())));
    for (const { near } of streams) pump(near);
    // Twelve streams may hold 4 MiB each by themselves.
    expect(await settled(engine)).to.be.within(4 * MIB, 8 * MIB + 128 * KIB);
    const { near, far } = await (await open()).stream();
    near.end(Buffer.alloc(MIB));
    expect((await readAll(far)).length).to.equal(MIB);
    for (const each of streams) {
      each.near.removeAllListeners('drain').end();
      each.far.resume();
    }
    await until(() => engine.unreadBytes === 0, 'all read');
  });

  it('counts what is left unread within tunnels through tunnels as well', async () => {
    const rig = stack.use(await openRig(() => engine.inner as FramedEngine, { client: window, server: window }));
    const { near, far } = await rig.stream();
    near.end(Buffer.alloc(MIB));
    await until(() => engine.unreadBytes === MIB, 'a whole MiB unread');
    far.resume();
    await until(() => engine.unreadBytes === 0, 'all read');
  });

  it('forgets what was left unread by streams that end, however they end', async () => {
    const rig = await open();
    const streams = await Promise.all(Array.from({ length: 4 }, () => rig.stream()));
    for (const { near } of streams) near.write(Buffer.alloc(64 * KIB));
    await until(() => engine.unreadBytes === 256 * KIB, 'arrived');
    streams[0]?.far.destroy();
    expect(engine.unreadBytes).to.equal(192 * KIB);
    streams[1]?.far.resume();
    await until(() => engine.unreadBytes === 128 * KIB, 'read');
    // What came before a reset can still be read.
    const reset = new Promise((resolve) => streams[2]?.far.once('aborted', resolve));
    streams[2]?.near.destroy();
    await reset;
    expect(engine.unreadBytes).to.equal(128 * KIB);
    streams[2]?.far.destroy();
    expect(engine.unreadBytes).to.equal(64 * KIB);
    rig.server.destroy();
    streams[3]?.far.resume();
    await until(() => engine.unreadBytes === 0, 'the connection is over');
  });
});
