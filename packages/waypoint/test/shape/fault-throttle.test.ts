import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { throttle } from '../../src/shape/fault-throttle.ts';

/** A throttle that is read all the time, and what has come through. */
function reading(kibPerSecond: number) {
  const clock = new FakeClock();
  const { stream, release } = throttle({ kibPerSecond }, { clock });
  const read = { bytes: 0, ended: false, text: '' };
  stream.on('data', (chunk: Buffer) => {
    read.bytes += chunk.length;
    read.text += chunk.toString('latin1');
  });
  stream.on('end', () => (read.ended = true));
  const advance = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 50) {
      clock.advance(50);
      await turn();
    }
  };
  return { clock, stream, release, read, advance };
}

describe('throttle', () => {
  it('lets bytes through at the rate, and the end after the last of them', async () => {
    const { stream, read, advance, clock } = reading(10);
    stream.end(Buffer.alloc(30 * 1024));
    for (let second = 1; second <= 2; second++) {
      await advance(1000);
      expect(read.bytes).to.be.within(10 * 1024 * second, 10 * 1024 * second + 1100);
    }
    await advance(900);
    expect(read.ended).to.equal(false);
    await advance(200);
    expect(read).to.include({ bytes: 30 * 1024, ended: true });
    expect(clock.pendingTimers).to.equal(0);
  });

  it('counts small chunks together', async () => {
    const { stream, read, advance } = reading(1);
    for (let count = 0; count < 2048; count++) stream.write('a');
    stream.end();
    await advance(1000);
    expect(read.bytes).to.be.within(1000, 1100);
    await advance(1100);
    expect(read).to.include({ bytes: 2048, ended: true });
  });

  it('does not save up time in which nothing came', async () => {
    const { stream, read, advance } = reading(10);
    await advance(10_000);
    stream.write(Buffer.alloc(20 * 1024));
    await advance(1000);
    expect(read.bytes).to.be.lessThan(12 * 1024);
  });

  it('takes no more than a chunk while it waits', async () => {
    const { stream } = reading(1);
    let taken = 0;
    while (stream.write(Buffer.alloc(1024)) && taken < 1000) taken += 1;
    await turn();
    expect(taken).to.be.lessThan(100);
  });

  it('keeps bytes and their order', async () => {
    const { stream, read, advance } = reading(1);
    const text = Array.from({ length: 500 }, (_, index) => String(index)).join(' ');
    for (let at = 0; at < text.length; at += 77) stream.write(text.slice(at, at + 77));
    stream.end();
    await advance(5000);
    expect(read.text).to.equal(text);
  });

  it('lets everything through once it is released', async () => {
    const { stream, release, read, clock } = reading(1);
    stream.end(Buffer.alloc(100 * 1024));
    await turn();
    release();
    await once(stream, 'end');
    expect(read.bytes).to.equal(100 * 1024);
    expect(clock.pendingTimers).to.equal(0);
  });

  it('leaves no timer behind when it is destroyed', async () => {
    const { stream, clock, release } = reading(1);
    stream.write(Buffer.alloc(10 * 1024));
    await turn();
    expect(clock.pendingTimers).to.equal(1);
    stream.destroy();
    expect(clock.pendingTimers).to.equal(0);
    release();
    clock.advance(60_000);
  });
});
