/** What every store of idempotency records does; run on each of them. */
import { expect } from 'chai';
import { it } from 'mocha';
import type { IdempotencyEvent, IdempotencyVerdict } from '../../src/shape/idempotency-state.ts';
import type { IdempotencyStore, StoreUnavailable } from '../../src/shape/idempotency-store.ts';
import { begin, complete, look, notDispatched, resolve, unknown } from './idempotency-events.ts';

let drawn = 0;
/** A record no other test uses. */
export const freshRecord = (): string => `idem:test:${process.pid}-${drawn++}`;

/** A verdict as text; times left are not compared. */
export function shown(verdict: IdempotencyVerdict | StoreUnavailable): string {
  if (verdict.kind === 'done')
    return `done ${verdict.requestId} ${verdict.fingerprint} ${Buffer.from(verdict.answer ?? []).toString()}`;
  return 'requestId' in verdict ? `${verdict.kind} ${verdict.requestId}` : verdict.kind;
}

/** Events in turn, and what each gives. */
const histories: readonly { readonly title: string; readonly events: readonly (readonly [IdempotencyEvent, string])[] }[] = [
  {
    title: 'gives a key nobody has to the first',
    events: [
      [look, 'absent'],
      [begin(), 'claimed'],
      [begin('t2'), 'in-flight r-t1'],
    ],
  },
  {
    title: 'keeps the answer of who completes',
    events: [
      [begin(), 'claimed'],
      [complete(), 'settled'],
      [begin('t2'), 'done r-t1 f1 answer'],
    ],
  },
  {
    title: 'refuses a key of another request in flight',
    events: [
      [begin(), 'claimed'],
      [begin('t2', 'f2'), 'mismatch'],
    ],
  },
  {
    title: 'refuses a key of another finished request',
    events: [
      [begin(), 'claimed'],
      [complete(), 'settled'],
      [begin('t2', 'f2'), 'mismatch'],
    ],
  },
  {
    title: 'frees a key whose request was not dispatched',
    events: [
      [begin(), 'claimed'],
      [notDispatched(), 'settled'],
      [begin('t2', 'f2'), 'claimed'],
    ],
  },
  {
    title: 'remembers an unknown outcome',
    events: [
      [begin(), 'claimed'],
      [unknown(), 'settled'],
      [begin('t2'), 'unknown r-t1'],
    ],
  },
  {
    title: 'reads a lease that passed as unknown',
    events: [
      [begin('t1', 'f1', 0), 'claimed'],
      [look, 'unknown r-t1'],
      [begin('t2'), 'unknown r-t1'],
    ],
  },
  {
    title: 'takes no answer after the lease',
    events: [
      [begin('t1', 'f1', 0), 'claimed'],
      [complete(), 'stale'],
      [look, 'unknown r-t1'],
    ],
  },
  {
    title: 'takes no release after the lease',
    events: [
      [begin('t1', 'f1', 0), 'claimed'],
      [notDispatched(), 'stale'],
      [look, 'unknown r-t1'],
    ],
  },
  {
    title: 'takes nothing from another token',
    events: [
      [begin(), 'claimed'],
      [complete('t0'), 'stale'],
      [unknown('t0'), 'stale'],
      [notDispatched('t0'), 'stale'],
      [look, 'in-flight r-t1'],
    ],
  },
  {
    title: 'takes nothing from the holder before last',
    events: [
      [begin('t1', 'f1', 0), 'claimed'],
      [resolve(), 'settled'],
      [begin('t2'), 'claimed'],
      [complete('t1'), 'stale'],
      [complete('t2', 'second'), 'settled'],
      [look, 'done r-t2 f1 second'],
    ],
  },
  {
    title: 'ends a claim once',
    events: [
      [begin(), 'claimed'],
      [complete(), 'settled'],
      [unknown(), 'stale'],
      [notDispatched(), 'stale'],
      [look, 'done r-t1 f1 answer'],
    ],
  },
  {
    title: 'does not let an operator end a request under way',
    events: [
      [begin(), 'claimed'],
      [resolve(), 'in-flight r-t1'],
      [look, 'in-flight r-t1'],
    ],
  },
  {
    title: 'does not let an operator change an answer',
    events: [
      [begin(), 'claimed'],
      [complete(), 'settled'],
      [resolve('other'), 'done r-t1 f1 answer'],
    ],
  },
  {
    title: 'frees a key an operator found not processed',
    events: [
      [begin(), 'claimed'],
      [unknown(), 'settled'],
      [resolve(), 'settled'],
      [look, 'absent'],
    ],
  },
  {
    title: 'keeps the answer an operator found',
    events: [
      [begin(), 'claimed'],
      [unknown(), 'settled'],
      [resolve('paid'), 'settled'],
      [begin('t2'), 'done r-t1 f1 paid'],
    ],
  },
  {
    title: 'keeps an empty answer',
    events: [
      [begin(), 'claimed'],
      [complete('t1', ''), 'settled'],
      [look, 'done r-t1 f1 '],
    ],
  },
  {
    title: 'has nothing to resolve under a key nobody has',
    events: [
      [resolve('paid'), 'absent'],
      [look, 'absent'],
    ],
  },
];

export function complies(storeOf: () => IdempotencyStore): void {
  for (const { title, events } of histories)
    it(title, async () => {
      const record = freshRecord();
      for (const [event, gives] of events) expect(shown(await storeOf().apply(record, event)), event.kind).to.equal(gives);
    });

  it('gives a key to one of a hundred who ask at once', async () => {
    const record = freshRecord();
    const verdicts = await Promise.all(Array.from({ length: 100 }, (_, index) => storeOf().apply(record, begin(`t${index}`))));
    expect(verdicts.filter(({ kind }) => kind === 'claimed')).to.have.lengthOf(1);
    expect(verdicts.filter(({ kind }) => kind === 'in-flight')).to.have.lengthOf(99);
  });

  it('tells how much of the lease is left', async () => {
    const record = freshRecord();
    await storeOf().apply(record, begin('t1', 'f1', 60_000));
    const verdict = await storeOf().apply(record, look);
    expect(verdict.kind === 'in-flight' && verdict.leaseLeftMs).to.be.within(50_000, 60_000);
  });

  it('keeps any byte of an answer', async () => {
    const record = freshRecord();
    const answer = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    await storeOf().apply(record, begin());
    await storeOf().apply(record, { kind: 'complete', token: 't1', answer, ttlMs: 60_000 });
    const verdict = await storeOf().apply(record, look);
    expect(verdict.kind === 'done' && Buffer.from(verdict.answer ?? []).equals(answer)).to.equal(true);
  });
}
