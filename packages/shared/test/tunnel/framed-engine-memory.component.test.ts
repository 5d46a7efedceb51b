/** What connections and streams of the framed engine hold, and that they let go of it. */
import { duplexPair } from 'node:stream';
import type { Duplex } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { clientSettings, serverSettings } from '../../src/tunnel/engine-settings.ts';
import type { ClientSession, ServerSession } from '../../src/tunnel/engine.ts';
import { FramedEngine } from '../../src/tunnel/framed-engine.ts';
import { bounded, until } from './bounded.ts';

const KIB = 1024;
const never = new AbortController().signal;

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

/** Live bytes, buffers included, once everything has come to rest. */
async function liveBytes(): Promise<number> {
  for (let i = 0; i < 4; i++) {
    gc();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

type Pair = { readonly client: ClientSession; readonly server: ServerSession; readonly streams: Duplex[] };

async function connected(engine: FramedEngine): Promise<Pair> {
  const [near, far] = duplexPair();
  const streams: Duplex[] = [];
  const server = engine.serve(far, serverSettings, (incoming) => streams.push(incoming.accept({})));
  const client = await engine.connect(near, clientSettings);
  await until(() => client.peerMaxStreams === 200, 'SETTINGS');
  return { client, server, streams };
}

async function open({ client }: Pair): Promise<Duplex> {
  const response = await bounded(client.open({ authority: '10.0.0.1:80', headers: {} }, never), 'response');
  if (response.kind !== 'open') throw new Error(response.kind);
  return response.stream;
}

/** Bytes that arrive, and their echo. */
async function echo(near: Duplex, far: Duplex): Promise<void> {
  far.once('data', (bytes: Buffer) => far.write(bytes));
  const answered = new Promise((resolve) => near.once('data', resolve));
  near.write('x'.repeat(1000));
  await bounded(answered, 'echo');
}

describe('memory of the framed engine', () => {
  it('is at most 20 KiB for both ends of a connection at rest, their transports aside', async () => {
    const engine = new FramedEngine({ clock: new FakeClock() });
    const bare = await liveBytes();
    const transports = Array.from({ length: 200 }, () => duplexPair());
    const withTransports = await liveBytes();
    const pairs: Pair[] = [];
    for (let i = 0; i < 200; i++) pairs.push(await connected(engine));
    const each = ((await liveBytes()) - withTransports - (withTransports - bare)) / pairs.length;
    expect(transports.length).to.equal(pairs.length);
    expect(each).to.be.within(1 * KIB, 20 * KIB);
  });

  it('is at most 5 KiB for both ends of a stream at rest', async () => {
    const pair = await connected(new FramedEngine({ clock: new FakeClock() }));
    for (let i = 0; i < 20; i++) {
      (await open(pair)).destroy();
      pair.streams[i]!.resume();
    }
    await until(() => pair.server.activeStreams === 0, 'no stream left');
    pair.streams.length = 0;
    const before = await liveBytes();
    const near: Duplex[] = [];
    for (let i = 0; i < 150; i++) {
      near.push(await open(pair));
      await echo(near[i]!, pair.streams[i]!);
    }
    const each = ((await liveBytes()) - before) / near.length;
    expect(each).to.be.within(1 * KIB, 5 * KIB);
    pair.client.destroy();
  });

  it('is given back by streams and connections that ended', async () => {
    const clock = new FakeClock();
    const engine = new FramedEngine({ clock });
    const round = async (): Promise<WeakRef<object>[]> => {
      const pair = await connected(engine);
      const seen: WeakRef<object>[] = [new WeakRef(pair.client), new WeakRef(pair.server)];
      for (let i = 0; i < 50; i++) {
        const near = await open(pair);
        const far = pair.streams.at(-1)!;
        await echo(near, far);
        seen.push(new WeakRef(near), new WeakRef(far));
        if (i % 3 === 0) near.destroy();
        else if (i % 3 === 1) far.destroy();
        else {
          near.resume().end();
          far.resume().end();
        }
      }
      await until(() => pair.client.activeStreams === 0 && pair.server.activeStreams === 0, 'no stream left');
      pair.client.destroy();
      clock.advance(2_000);
      await bounded(Promise.all([pair.client.closed, pair.server.closed]), 'closed');
      return seen;
    };
    const seen = await round();
    await liveBytes();
    expect(seen.filter((reference) => reference.deref() !== undefined).length).to.equal(0);
    expect(clock.pendingTimers).to.equal(0);
    for (let i = 0; i < 20; i++) await round();
    const before = await liveBytes();
    for (let i = 0; i < 20; i++) await round();
    expect((await liveBytes()) - before).to.be.lessThan(100 * KIB);
  });
});
