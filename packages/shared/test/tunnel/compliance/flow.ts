import { createHash, randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { bounded, event, until } from '../bounded.ts';
import { openRig, readAll } from './rig.ts';
import type { CreateEngine } from './rig.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

/** Writes chunks until the peer's back-pressure holds for a while; returns the bytes the stream took. */
async function fill(stream: Duplex, chunk: Buffer): Promise<number> {
  let taken = 0;
  for (;;) {
    taken += chunk.length;
    if (stream.write(chunk)) continue;
    const drained = await Promise.race([
      new Promise<true>((resolve) => stream.once('drain', () => resolve(true))),
      new Promise<false>((resolve) => setTimeout(() => resolve(false), 300)),
    ]);
    if (!drained) return taken;
  }
}

async function pump(stream: Duplex, chunk: Buffer, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    if (!stream.write(chunk)) await event(stream, 'drain', 20_000);
  }
  stream.end();
}

async function digest(stream: Duplex): Promise<{ readonly bytes: number; readonly hash: string }> {
  const hash = createHash('sha1');
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    hash.update(chunk);
  });
  await bounded(new Promise((resolve) => stream.once('end', resolve)), 'end', 20_000);
  return { bytes, hash: hash.digest('hex') };
}

/** N4 and what windows are for. */
export function describeFlow(create: CreateEngine): void {
  describe('flow control (N4)', () => {
    it('carries 64 MiB each way at once, unchanged, in bounded memory', async function () {
      this.timeout(40_000);
      await using rig = await openRig(create);
      const { near, far } = await rig.stream();
      const chunk = randomBytes(64 * KIB);
      const expected = createHash('sha1');
      for (let i = 0; i < 1024; i++) expected.update(chunk);
      const hash = expected.digest('hex');
      const before = process.memoryUsage().rss;
      const [there, back] = await Promise.all([digest(far), digest(near), pump(near, chunk, 1024), pump(far, chunk, 1024)]);
      expect(there).to.deep.equal({ bytes: 64 * MIB, hash });
      expect(back).to.deep.equal({ bytes: 64 * MIB, hash });
      // Each window is 4 MiB; the rest is what the collector has not come to yet.
      expect(process.memoryUsage().rss - before).to.be.lessThan(96 * MIB);
    });

    for (const writer of ['client', 'server'] as const) {
      it(`stops the ${writer} within one stream window of a reader that stopped`, async () => {
        await using rig = await openRig(create);
        const { near, far } = await rig.stream();
        const [source, sink] = writer === 'client' ? [near, far] : [far, near];
        const taken = await fill(source, Buffer.alloc(64 * KIB));
        expect(taken).to.be.greaterThan(4 * MIB - 1);
        expect(taken).to.be.lessThan(5 * MIB);
        source.end();
        expect((await digest(sink)).bytes).to.equal(taken);
      });
    }

    it('lets other streams pass a reader that stopped', async () => {
      await using rig = await openRig(create);
      const stalled = await rig.stream();
      await fill(stalled.near, Buffer.alloc(64 * KIB));
      const { near, far } = await rig.stream();
      near.end('through');
      expect(String(await readAll(far))).to.equal('through');
    });

    it('resumes where it stopped', async () => {
      await using rig = await openRig(create);
      const { near, far } = await rig.stream();
      const chunk = randomBytes(64 * KIB);
      const taken = await fill(near, chunk);
      const reading = digest(far);
      await pump(near, chunk, 100);
      expect((await reading).bytes).to.equal(taken + 100 * chunk.length);
    });

    it('answers a byte at once while a megabyte waits elsewhere', async () => {
      await using rig = await openRig(create);
      const bulk = await rig.stream();
      bulk.far.resume();
      void pump(bulk.near, Buffer.alloc(64 * KIB), 64);
      const { near, far } = await rig.stream();
      far.pipe(far);
      near.write('?');
      expect(String(await event(near, 'data'))).to.equal('?');
    });
  });

  describe('many streams', () => {
    it('carries 200 at once', async () => {
      await using rig = await openRig(create);
      const pairs = await Promise.all(Array.from({ length: 200 }, () => rig.stream()));
      expect(rig.client.activeStreams).to.equal(200);
      expect(rig.server.activeStreams).to.equal(200);
      for (const { far } of pairs) far.pipe(far);
      const answers = await Promise.all(
        pairs.map(async ({ near }, i) => {
          near.end(`stream ${i}`.repeat(1000));
          return String(await readAll(near));
        }),
      );
      answers.forEach((answer, i) => expect(answer).to.equal(`stream ${i}`.repeat(1000)));
      await until(() => rig.client.activeStreams === 0 && rig.server.activeStreams === 0, 'no stream left');
    });

    for (const side of ['near', 'far'] as const) {
      it(`goes on after 1,200 streams were cut at the ${side} end with bytes on their way`, async () => {
        await using rig = await openRig(create);
        const chunk = Buffer.alloc(32 * KIB);
        for (let i = 0; i < 1200; i++) {
          const { near, far } = await rig.stream();
          const [cut, other] = side === 'near' ? [near, far] : [far, near];
          other.resume();
          other.write(chunk);
          other.write(chunk);
          if (i % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
          cut.destroy();
        }
        await until(() => rig.client.activeStreams === 0 && rig.server.activeStreams === 0, 'no stream left');
        expect(rig.client.usable).to.equal(true);
      });
    }

    it('goes on for thousands of streams on one connection', async () => {
      await using rig = await openRig(create);
      for (let round = 0; round < 20; round++) {
        await Promise.all(
          Array.from({ length: 100 }, async () => {
            const { near, far } = await rig.stream();
            far.pipe(far);
            near.end('x');
            await readAll(near);
          }),
        );
      }
      await until(() => rig.client.activeStreams === 0 && rig.server.activeStreams === 0, 'no stream left');
      expect(rig.client.usable).to.equal(true);
    });
  });
}
