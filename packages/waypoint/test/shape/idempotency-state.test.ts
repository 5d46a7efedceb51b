import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { transition } from '../../src/shape/idempotency-state.ts';
import type { IdempotencyEvent, IdempotencyRecord } from '../../src/shape/idempotency-state.ts';
import { begin, complete, look, notDispatched, resolve, unknown } from './idempotency-events.ts';

const inFlight: IdempotencyRecord = {
  state: 'in-flight',
  fingerprint: 'f1',
  requestId: 'r-t1',
  token: 't1',
  leaseUntilMs: 60_000,
};
const undecided: IdempotencyRecord = { state: 'unknown', fingerprint: 'f1', requestId: 'r-t1' };
const done: IdempotencyRecord = {
  state: 'done',
  fingerprint: 'f1',
  requestId: 'r-t1',
  answer: Buffer.from('answer'),
  expiresAtMs: 60_001,
};

describe('transition (C1)', () => {
  const table: readonly {
    title: string;
    record: IdempotencyRecord | undefined;
    event: IdempotencyEvent;
    nowMs?: number;
    verdict: string;
    next: IdempotencyRecord | undefined;
  }[] = [
    { title: 'claims an absent key', record: undefined, event: begin(), nowMs: 0, verdict: 'claimed', next: inFlight },
    { title: 'completes a claim', record: inFlight, event: complete(), verdict: 'settled', next: done },
    { title: 'leaves a claim to the one who has it', record: inFlight, event: begin('t2'), verdict: 'in-flight', next: inFlight },
    { title: 'frees what was not dispatched', record: inFlight, event: notDispatched(), verdict: 'settled', next: undefined },
    { title: 'keeps an unknown outcome', record: inFlight, event: unknown(), verdict: 'settled', next: undecided },
    {
      title: 'holds a claim up to the end of its lease',
      record: inFlight,
      event: look,
      nowMs: 59_999,
      verdict: 'in-flight',
      next: inFlight,
    },
    {
      title: 'makes a claim unknown at the end of its lease',
      record: inFlight,
      event: look,
      nowMs: 60_000,
      verdict: 'unknown',
      next: undecided,
    },
    {
      title: 'takes no answer at the end of the lease',
      record: inFlight,
      event: complete(),
      nowMs: 60_000,
      verdict: 'stale',
      next: undecided,
    },
    {
      title: 'lets an operator end a lapsed claim',
      record: inFlight,
      event: resolve(),
      nowMs: 60_000,
      verdict: 'settled',
      next: undefined,
    },
    {
      title: 'never lets an unknown outcome expire',
      record: undecided,
      event: begin('t2'),
      nowMs: 1e15,
      verdict: 'unknown',
      next: undecided,
    },
    { title: 'replays an answer until its end', record: done, event: begin('t2'), nowMs: 60_000, verdict: 'done', next: done },
    {
      title: 'claims a key again after its end',
      record: { ...done, expiresAtMs: 0 },
      event: begin(),
      nowMs: 0,
      verdict: 'claimed',
      next: inFlight,
    },
  ];
  for (const { title, record, event, nowMs, verdict, next } of table)
    it(title, () => {
      const result = transition(record, event, nowMs ?? 1);
      expect([result.verdict.kind, result.next]).to.deep.equal([verdict, next]);
    });

  it('gives a key to one claimant, until the key is freed, resolved or expired', () => {
    const token = fc.constantFrom('t1', 't2', 't3');
    const step = fc.record({
      waitMs: fc.constantFrom(0, 1, 30_000, 60_000),
      event: fc.oneof(
        token.map((name) => begin(name)),
        token.map((name) => complete(name)),
        token.map((name) => unknown(name)),
        token.map((name) => notDispatched(name)),
        fc.constantFrom(look, resolve(), resolve('found')),
      ),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        let record: IdempotencyRecord | undefined;
        let taken = false;
        let nowMs = 0;
        for (const { waitMs, event } of steps) {
          nowMs += waitMs;
          if (record?.state === 'done' && record.expiresAtMs <= nowMs) taken = false;
          const { verdict, next } = transition(record, event, nowMs);
          if (verdict.kind === 'claimed') {
            expect(taken).to.equal(false);
            taken = true;
          }
          const freed = event.kind === 'not-dispatched' || (event.kind === 'resolve' && event.answer === undefined);
          if (freed && verdict.kind === 'settled') taken = false;
          record = next;
        }
      }),
    );
  });
});
