import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { ReplayBody } from '../../src/forward/replay-body.ts';
import { Watched } from '../../src/forward/idle-watch.ts';
import { settled } from './fake-upstream.ts';

function bodyOf(source: Readable, maxReplayBytes = 64, maxBytes = Infinity) {
  const watched = new Watched(1, 0, () => {});
  const tooLarge: number[] = [];
  const body: ReplayBody = new ReplayBody(
    source,
    { maxReplayBytes, maxBytes },
    { watched, recvTooLarge: () => tooLarge.push(body.bytes) },
  );
  return { body, watched, tooLarge };
}

const of = (...chunks: readonly string[]): Readable =>
  Readable.from(
    chunks.map((chunk) => Buffer.from(chunk)),
    { objectMode: false },
  );

/** Reads so many bytes of a stream and leaves it. */
async function readSome(stream: Readable, bytes: number): Promise<string> {
  let read = '';
  while (read.length < bytes) {
    const chunk = stream.read() as Buffer | null;
    if (chunk === null) await once(stream, 'readable');
    else read += chunk.toString();
  }
  return read;
}

describe('ReplayBody', () => {
  it('gives every attempt the whole body', async () => {
    const { body, watched } = bodyOf(of('one ', 'two ', 'three'));
    expect(await text(body.attempt())).to.equal('one two three');
    expect(await text(body.attempt())).to.equal('one two three');
    expect(body.replayable).to.equal(true);
    expect(watched.movement).to.equal(3);
  });

  it('goes on from the source after what an attempt had read of it', async () => {
    const source = new PassThrough();
    const { body } = bodyOf(source);
    source.write('first ');
    const first = body.attempt();
    expect(await readSome(first, 6)).to.equal('first ');
    first.destroy();
    const second = text(body.attempt());
    await settled();
    source.end('second');
    expect(await second).to.equal('first second');
  });

  it('lets nothing overtake the kept bytes, however slowly they are read', async () => {
    const source = new PassThrough();
    const { body } = bodyOf(source, Infinity);
    source.write('first ');
    expect(await readSome(body.attempt(), 6)).to.equal('first ');
    await settled();
    const second = body.attempt();
    source.end('second');
    await settled();
    expect(await text(second)).to.equal('first second');
  });

  it('takes nothing from the source before an attempt asks', async () => {
    const source = of('untouched');
    const { body } = bodyOf(source);
    body.attempt().destroy();
    await settled();
    expect(body.bytes).to.equal(0);
    expect(await text(body.attempt())).to.equal('untouched');
  });

  it('is not replayable once it exceeds its bound, and still gives all to the attempt', async () => {
    const { body } = bodyOf(of('x'.repeat(40), 'y'.repeat(40)), 64);
    const sent = await text(body.attempt());
    expect(sent).to.have.length(80);
    expect(body.replayable).to.equal(false);
  });

  it('keeps a body of exactly its bound', async () => {
    const { body } = bodyOf(of('x'.repeat(64)), 64);
    await text(body.attempt());
    expect(body.replayable).to.equal(true);
  });

  it('waits for a slow attempt', async () => {
    const source = new PassThrough({ highWaterMark: 1_024 });
    const { body } = bodyOf(source, 0);
    const attempt = body.attempt();
    attempt.read(0);
    let written = 0;
    while (written < 64 && source.write(Buffer.alloc(64 * 1024))) {
      written += 1;
      await settled();
    }
    await settled();
    expect(written).to.be.below(10);
    expect(body.bytes).to.be.below(512 * 1024);
    attempt.destroy();
    source.destroy();
  });

  it('breaks the attempt off with the caller', async () => {
    const source = new PassThrough();
    source.on('error', () => {});
    const { body } = bodyOf(source);
    const attempt = body.attempt();
    attempt.resume();
    source.write('part');
    await settled();
    const closed = new Promise((resolve) => attempt.on('close', resolve));
    source.destroy(new Error('gone'));
    await closed;
    expect(attempt.readableEnded).to.equal(false);
    expect(body.replayable).to.equal(false);
    expect(body.attempt().destroyed).to.equal(true);
  });

  it('tells that the body is too large, and passes no more of it on', async () => {
    const { body, tooLarge } = bodyOf(of('x'.repeat(40), 'y'.repeat(40)), 64, 50);
    const attempt = body.attempt();
    expect(await readSome(attempt, 40)).to.have.length(40);
    attempt.read(0);
    await settled();
    expect(tooLarge).to.deep.equal([80]);
    expect(attempt.read()).to.equal(null);
  });

  it('lets the rest flow into nothing after an early answer, and keeps no listener', async () => {
    const source = new PassThrough({ highWaterMark: 16 });
    const { body } = bodyOf(source);
    const attempt = body.attempt();
    source.write('begun');
    expect(await readSome(attempt, 5)).to.equal('begun');
    body[Symbol.dispose]();
    expect(attempt.destroyed).to.equal(true);
    for (const event of ['data', 'end']) expect(source.listenerCount(event)).to.be.at.most(1);
    await pipeline(Readable.from([Buffer.alloc(100_000)]), source);
    expect(source.readableEnded || source.writableFinished).to.equal(true);
  });

  it('gives an empty body its end', async () => {
    const { body } = bodyOf(of());
    expect(await text(body.attempt())).to.equal('');
    expect(await text(body.attempt())).to.equal('');
  });

  it('gives the same bytes to all attempts, wherever they are cut and wherever attempts stop', async () => {
    const chunks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 20_000 }), { maxLength: 12 });
    const stops = fc.array(fc.nat(60_000), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(chunks, stops, async (list, stopAfter) => {
        const whole = Buffer.concat(list);
        const { body } = bodyOf(
          Readable.from(
            list.map((chunk) => Buffer.from(chunk)),
            { objectMode: false },
          ),
          Infinity,
        );
        for (const bytes of stopAfter) {
          const attempt = body.attempt();
          const part = await readSome(attempt, Math.min(bytes, whole.length, 1));
          expect(part.length).to.be.at.least(0);
          attempt.destroy();
        }
        expect((await buffer(body.attempt())).equals(whole)).to.equal(true);
      }),
      { numRuns: 50 },
    );
  });
});
