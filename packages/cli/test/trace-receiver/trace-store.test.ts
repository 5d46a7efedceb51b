import { expect } from 'chai';
import { describe, it } from 'mocha';
import { TraceStore } from '../../src/trace-receiver/trace-store.ts';
import { span } from './received-span.ts';

const start = Date.UTC(2026, 0, 1);
const ids = (length: number): string[] => Array.from({ length }, (_, i) => i.toString(16).padStart(32, 'c'));

describe('TraceStore', () => {
  it('keeps the traces that got spans last', () => {
    const store = new TraceStore({ maxTraces: 3 });
    const [first = '', second = '', third = '', fourth = ''] = ids(4);
    for (const traceId of [first, second, third, first, fourth]) store.add([span('1', { traceId })]);
    expect(store.size).to.equal(3);
    expect(store.trace(second)).to.equal(undefined);
    expect(store.summaries().map(({ traceId }) => traceId)).to.deep.equal([fourth, first, third]);
  });

  it('keeps a bounded number of spans of a trace (leak)', () => {
    const store = new TraceStore({ maxTraces: 2, maxSpans: 5 });
    for (const traceId of ids(100)) for (let i = 1; i < 20; i++) store.add([span(String(i), { traceId })]);
    expect(store.size).to.equal(2);
    for (const { spans } of store.summaries()) expect(spans).to.equal(5);
  });

  it('takes a span that is exported again once', () => {
    const store = new TraceStore();
    store.add([span('1'), span('2')]);
    store.add([span('1')]);
    expect(store.trace('a'.repeat(32))).to.have.length(2);
  });

  it('sums a trace up by its root', () => {
    const store = new TraceStore();
    store.add([
      span('2', { parentSpanId: '1'.padStart(16, '0'), startMs: start + 5, durationMs: 100, status: 'error' }),
      span('1', { name: 'GET /accounts', service: 'web' }),
    ]);
    expect(store.summaries()).to.deep.equal([
      {
        traceId: 'a'.repeat(32),
        name: 'GET /accounts',
        service: 'web',
        startMs: start,
        durationMs: 105,
        spans: 2,
        errors: 1,
      },
    ]);
  });
});
