import { expect } from 'chai';
import { describe, it } from 'mocha';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { MemoryIdempotencyStore } from '../../src/shape/memory-store.ts';
import type { MemoryStoreOptions } from '../../src/shape/memory-store.ts';
import { begin, complete, look, notDispatched, unknown } from './idempotency-events.ts';
import { complies, shown } from './store-compliance.ts';

function made(options: MemoryStoreOptions = {}): { clock: FakeClock; store: MemoryIdempotencyStore } {
  const clock = new FakeClock();
  return { clock, store: new MemoryIdempotencyStore(options, { clock }) };
}

describe('MemoryIdempotencyStore', () => {
  const { store } = made();
  complies(() => store);

  it('turns a request unknown with its lease, and keeps it so', async () => {
    const { clock, store } = made();
    await store.apply('a', begin());
    clock.advance(59_999);
    expect(shown(await store.apply('a', look))).to.equal('in-flight r-t1');
    clock.advance(1);
    expect(shown(await store.apply('a', look))).to.equal('unknown r-t1');
    clock.advance(400 * 86_400_000);
    expect(shown(await store.apply('a', begin('t2')))).to.equal('unknown r-t1');
  });

  it('forgets an answer with its time to live, and the memory it took', async () => {
    const { clock, store } = made();
    await store.apply('a', begin());
    await store.apply('a', complete());
    clock.advance(59_999);
    expect(shown(await store.apply('a', look))).to.equal('done r-t1 f1 answer');
    clock.advance(60_001);
    await store.apply('b', look);
    expect([store.size, store.answerBytes]).to.deep.equal([0, 0]);
    expect(shown(await store.apply('a', begin('t2', 'f2')))).to.equal('claimed');
  });

  for (const [state, end] of [
    ['in flight', look],
    ['unknown', unknown()],
    ['finished', complete()],
  ] as const)
    it(`refuses new keys when it is full of requests ${state}`, async () => {
      const { store } = made({ maxRecords: 2 });
      for (const record of ['a', 'b']) {
        await store.apply(record, begin());
        await store.apply(record, end);
      }
      expect(await store.apply('c', begin())).to.deep.equal({
        kind: 'unavailable',
        detail: 'the memory store is full (2 keys); use a Redis store',
      });
      expect((await store.apply('a', begin('t2'))).kind).to.equal(
        state === 'in flight' ? 'in-flight' : state === 'unknown' ? 'unknown' : 'done',
      );
    });

  it('takes keys again when one is freed', async () => {
    const { store } = made({ maxRecords: 1 });
    await store.apply('a', begin());
    await store.apply('a', notDispatched());
    expect((await store.apply('b', begin())).kind).to.equal('claimed');
  });

  it('gives up the least recently replayed answer, not its key', async () => {
    const { store } = made({ maxAnswerBytes: 20 });
    for (const record of ['a', 'b']) {
      await store.apply(record, begin());
      await store.apply(record, complete('t1', '0123456789'));
    }
    await store.apply('a', begin('t2'));
    await store.apply('c', begin());
    await store.apply('c', complete('t1', '0123456789'));
    expect(shown(await store.apply('a', begin('t2')))).to.equal('done r-t1 f1 0123456789');
    const lost = await store.apply('b', begin('t2'));
    expect(lost).to.deep.equal({ kind: 'done', requestId: 'r-t1', fingerprint: 'f1' });
    expect(store.answerBytes).to.equal(20);
  });
});
