import { expect } from 'chai';
import { describe, it } from 'mocha';
import { carriedConnection, drawnSpans, withinTrace } from '../../src/demo/payment-trace.ts';
import { text } from '../../src/demo/access-lines.ts';
import type { ReceivedSpan } from '../../src/trace-receiver/span.ts';

const call = { spanId: 'a', startMs: 0, durationMs: 10 } as ReceivedSpan;
const line = (fields: object): Parameters<typeof carriedConnection>[2] => ({
  sequence: 0,
  fields: { time: '2027-01-01T00:00:01.000Z', direction: 'inbound', duration: '40ms', ...fields },
});
const startMs = Date.parse('2027-01-01T00:00:01.000Z') - 40;
const connection = carriedConnection('node-b', call, line({}));

describe('carriedConnection', () => {
  it('begins its duration before the line was written, under the call', () => {
    expect(connection).to.deep.equal({ name: 'ztunnel node-b inbound', parentSpanId: 'a', startMs, durationMs: 40 });
  });

  it('keeps why a connection did not end well', () => {
    expect(carriedConnection('node-b', call, line({ error: 'reset' }))).to.include({ error: 'reset' });
  });
});

describe('withinTrace', () => {
  it('ends a kept connection with the trace', () => {
    const kept = withinTrace([{ ...call, startMs, durationMs: 10 }], connection);
    expect(kept).to.deep.include({ name: 'ztunnel node-b inbound, kept', durationMs: 10 });
  });

  it('leaves one alone that ended before', () => {
    expect(withinTrace([{ ...call, startMs, durationMs: 50 }], connection)).to.equal(connection);
  });
});

describe('drawnSpans', () => {
  it('puts connections under their calls, failed ones as such', () => {
    const trace = { traceId: 't', spans: [call], connections: [connection, { ...connection, error: 'reset' }] };
    const [, good, bad] = drawnSpans(trace);
    expect([good!.parentSpanId, good!.status, bad!.status, bad!.attributes]).to.deep.equal([
      'a',
      'unset',
      'error',
      { 'error.type': 'reset' },
    ]);
    expect(good!.spanId).not.to.equal(bad!.spanId);
  });
});

describe('text', () => {
  for (const [name, fields, path, value] of [
    ['a field', { status: 403 }, 'status', '403'],
    ['a field whose name has a dot', { 'src.identity': 'x' }, 'src.identity', 'x'],
    ['a field inside an object', { policy: { name: 'OpaPolicy a/b' } }, 'policy.name', 'OpaPolicy a/b'],
    ['nothing', {}, 'policy.name', ''],
    ['what is no text', { policy: { name: { x: 1 } } }, 'policy.name', ''],
  ] as const) {
    it(`reads ${name}`, () => {
      expect(text(fields, path)).to.equal(value);
    });
  }
});
