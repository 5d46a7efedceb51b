import { expect } from 'chai';
import { array, assert, asyncProperty, constantFrom } from 'fast-check';
import { describe, it } from 'mocha';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { WorkQueue } from '../../src/lead/work-queue.ts';
import type { WorkQueueOptions, WorkResult } from '../../src/lead/work-queue.ts';

class Working implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly begun: string[] = [];
  readonly abort = new AbortController();
  readonly queue: WorkQueue;
  #finish: ((result: WorkResult) => void)[] = [];

  constructor(options: WorkQueueOptions = {}) {
    this.queue = new WorkQueue(options, {
      clock: this.clock,
      random: new FakeRandom(),
      signal: this.abort.signal,
      work: (key, signal) => {
        this.begun.push(key);
        return new Promise((resolve, reject) => {
          this.#finish.push(resolve);
          signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
        });
      },
    });
  }

  /** Ends the work that began first. */
  async finish(result: WorkResult = { kind: 'done' }): Promise<void> {
    this.#finish.shift()?.(result);
    await new Promise((resolve) => void setImmediate(resolve));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.queue[Symbol.asyncDispose]();
  }
}

describe('WorkQueue', () => {
  it('works on a key once at a time, and again when it was added meanwhile', async () => {
    await using working = new Working();
    for (const key of ['a', 'a', 'b', 'a']) working.queue.add(key);
    expect(working.begun).to.deep.equal(['a', 'b']);
    await working.finish();
    expect(working.begun).to.deep.equal(['a', 'b', 'a']);
    await working.finish();
    await working.finish();
    expect(working.queue.size).to.equal(0);
  });

  it('works on no more keys at a time than it may', async () => {
    await using working = new Working({ concurrency: 2 });
    for (const key of ['a', 'b', 'c']) working.queue.add(key);
    expect(working.begun).to.deep.equal(['a', 'b']);
    await working.finish();
    expect(working.begun).to.deep.equal(['a', 'b', 'c']);
  });

  it('begins no more works a second than it may', async () => {
    await using working = new Working({ concurrency: 100, burst: 2, perSecond: 10 });
    for (let index = 0; index < 6; index++) working.queue.add(String(index));
    expect(working.begun).to.have.length(2);
    working.clock.advance(100);
    expect(working.begun).to.have.length(3);
    working.clock.advance(300);
    expect(working.begun).to.have.length(6);
  });

  it('works again after a failure, later each time, and at once when it is added', async () => {
    await using working = new Working();
    working.queue.add('a');
    for (const [times, waitMs] of [500, 1000, 2000].entries()) {
      await working.finish({ kind: 'retry' });
      working.clock.advance(waitMs - 1);
      expect(working.begun).to.have.length(times + 1);
      working.clock.advance(1);
      expect(working.begun).to.have.length(times + 2);
    }
    await working.finish({ kind: 'retry', afterMs: 3_600_000 });
    working.queue.add('a');
    expect(working.begun).to.have.length(5);
    await working.finish();
    working.queue.add('a');
    await working.finish({ kind: 'retry' });
    expect(working.clock.nextTimerMs).to.equal(500);
  });

  it('leaves no timer and no work behind', async () => {
    const working = new Working({ concurrency: 2, burst: 3, perSecond: 1 });
    for (const key of ['a', 'b', 'c', 'd']) working.queue.add(key);
    await working.finish({ kind: 'retry' });
    await working[Symbol.asyncDispose]();
    working.queue.add('e');
    expect(working.clock.pendingTimers).to.equal(0);
    expect(working.queue.size).to.equal(0);
  });

  it('ends with the work of every key done after its last addition', async () => {
    const steps = array(constantFrom('a', 'b', 'done', 'retry', 'wait'), { maxLength: 40 });
    await assert(
      asyncProperty(steps, async (events) => {
        await using working = new Working({ concurrency: 1, burst: 1, perSecond: 10 });
        for (const event of events) {
          if (event === 'done') await working.finish();
          else if (event === 'retry') await working.finish({ kind: 'retry' });
          else if (event === 'wait') working.clock.advance(500);
          else working.queue.add(event);
        }
        const begun = working.begun.length;
        working.queue.add('a');
        for (let round = 0; round < 10 && working.queue.size > 0; round++) {
          working.clock.advance(60_000);
          await working.finish();
        }
        expect(working.queue.size).to.equal(0);
        expect(working.begun.slice(Math.max(0, begun - 1))).to.include('a');
      }),
      { numRuns: 50 },
    );
  });
});
