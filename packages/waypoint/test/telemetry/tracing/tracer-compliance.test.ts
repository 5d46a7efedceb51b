/** What every RequestTracer does with the context of a caller, recording or not (T1). */
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import type { RequestHeaders } from '../../../src/exchange/request-facts.ts';
import { PassingTracer } from '../../../src/telemetry/tracing/passing-tracer.ts';
import type { RequestTracer } from '../../../src/telemetry/tracing/request-trace.ts';
import { traceHeaderNames } from '../../../src/telemetry/tracing/trace-context.ts';
import { endpoint, requestFacts } from '../exchange-facts.ts';
import { spanRecorder } from './span-recorder.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';
const traceparent = `00-${traceId}-${spanId}-01`;
const valid = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[01]$/;
const baggage = ['tenant'];

const tracers: readonly (readonly [string, () => RequestTracer])[] = [
  ['PassingTracer', () => new PassingTracer({ baggage }, { random: new FakeRandom() })],
  ['SpanTracer', () => spanRecorder({ baggage }).tracer],
  ['SpanTracer that samples nothing', () => spanRecorder({ baggage, ratio: 0 }).tracer],
];

for (const [name, make] of tracers) {
  describe(`${name} as a RequestTracer`, () => {
    const sent = (headers: RequestHeaders): Readonly<Record<string, string>> =>
      make().start(requestFacts({ headers })).startAttempt(endpoint(), 1).headers;

    it('gives a request without context a trace of its own', () => {
      const trace = make().start(requestFacts({ headers: {} }));
      const { headers, traceparent: own } = trace.startAttempt(endpoint(), 1);
      expect(headers['traceparent']).to.match(valid);
      expect(own).to.equal(headers['traceparent']);
      expect(headers['traceparent']).to.include(trace.traceId);
      expect(trace.traceparent).to.match(valid).and.to.include(trace.traceId);
    });

    it('stays in the trace of traceparent and keeps its decision', () => {
      expect(sent({ traceparent })['traceparent']).to.match(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
      expect(sent({ traceparent: `00-${traceId}-${spanId}-00` })['traceparent']).to.match(/-00$/);
    });

    it('starts another trace than one that is malformed, and drops its tracestate', () => {
      const headers = sent({ traceparent: `00-${traceId}-${spanId}`, tracestate: 'bank=1' });
      expect(headers['traceparent']).to.match(valid).and.not.to.include(traceId);
      expect(headers).not.to.have.property('tracestate');
    });

    it('sends 32 members of tracestate at most', () => {
      const members = Array.from({ length: 40 }, (_, i) => `k${i}=v`);
      expect(sent({ traceparent, tracestate: members.join(',') })['tracestate']).to.equal(members.slice(0, 32).join(','));
    });

    it('sends B3 in the form it came in, beside traceparent', () => {
      const single = sent({ b3: `${traceId}-${spanId}-1` });
      expect(single['b3']).to.match(new RegExp(`^${traceId}-[0-9a-f]{16}-1$`));
      expect(single['traceparent']).to.include(traceId);
      const multi = sent({ 'x-b3-traceid': traceId, 'x-b3-spanid': spanId, 'x-b3-sampled': '1' });
      expect(multi).to.include({ 'x-b3-traceid': traceId, 'x-b3-sampled': '1' });
      expect(multi).not.to.have.property('b3');
    });

    it('sends no B3 when none came in', () => {
      expect(Object.keys(sent({ traceparent }))).to.deep.equal(['traceparent']);
    });

    it('tells the same trace by traceparent and B3', () => {
      const headers = sent({ traceparent, b3: `${'a'.repeat(32)}-${'b'.repeat(16)}-1` });
      expect(headers['b3']).to.include(traceId);
    });

    it('obeys b3: 0', () => {
      expect(sent({ b3: '0' })['traceparent']).to.match(/-00$/);
    });

    it('lets the allowed baggage through', () => {
      expect(sent({ baggage: 'tenant=a,secret=b' })['baggage']).to.equal('tenant=a');
      expect(sent({ baggage: 'secret=b' })).not.to.have.property('baggage');
    });

    it('sends nothing but headers that replace what came in', () => {
      const headers = sent({ traceparent, b3: '1', tracestate: 'a=b', baggage: 'tenant=a' });
      expect([...traceHeaderNames]).to.include.members(Object.keys(headers));
    });

    it('ends more than once without harm', () => {
      const trace = make().start(requestFacts());
      const attempt = trace.startAttempt(endpoint(), 1);
      for (const _ of [1, 2]) {
        attempt.end({ status: 200 });
        trace.end({ status: 200, flag: '-' });
      }
    });
  });
}
