import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { extractTrace, limitTracestate } from '../../../src/telemetry/tracing/trace-context.ts';
import type { IncomingTrace } from '../../../src/telemetry/tracing/trace-context.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';
const otherTrace = 'a'.repeat(32);
const otherSpan = 'b'.repeat(16);
const parent = { traceId, spanId };

describe('extractTrace', () => {
  for (const [name, headers, expected] of [
    ['nothing', {}, { sampling: 'undecided' }],
    ['a sampled traceparent', { traceparent: `00-${traceId}-${spanId}-01` }, { parent, sampling: 'record' }],
    ['a traceparent that is not sampled', { traceparent: `00-${traceId}-${spanId}-00` }, { parent, sampling: 'drop' }],
    ['a later version of traceparent', { traceparent: `01-${traceId}-${spanId}-01-x` }, { parent, sampling: 'record' }],
    [
      'a traceparent before both forms of B3',
      { traceparent: `00-${traceId}-${spanId}-01`, b3: `${otherTrace}-${otherSpan}-0`, 'x-b3-traceid': otherTrace },
      { parent, sampling: 'record', b3: 'single' },
    ],
    [
      'tracestate beside traceparent',
      { traceparent: `00-${traceId}-${spanId}-01`, tracestate: 'bank=1,rojo=2' },
      { parent, sampling: 'record', tracestate: 'bank=1,rojo=2' },
    ],
    ['tracestate without traceparent', { tracestate: 'bank=1' }, { sampling: 'undecided' }],
    ['a traceparent of zeros', { traceparent: `00-${'0'.repeat(32)}-${spanId}-01` }, { sampling: 'undecided' }],
    ['an upper-case traceparent', { traceparent: `00-${traceId.toUpperCase()}-${spanId}-01` }, { sampling: 'undecided' }],
    ['two traceparents', { traceparent: [`00-${traceId}-${spanId}-01`, 'x'] }, { sampling: 'undecided' }],
    [
      'b3 when traceparent is malformed',
      { traceparent: 'nonsense', tracestate: 'a=1', b3: `${traceId}-${spanId}-1` },
      { parent, sampling: 'record', b3: 'single' },
    ],
    ['b3 with a short trace id', { b3: `a3ce929d0e0e4736-${spanId}-d` }, short('record', 'single')],
    ['b3 with a parent span', { b3: `${traceId}-${spanId}-0-${otherSpan}` }, { parent, sampling: 'drop', b3: 'single' }],
    ['b3 without a decision', { b3: `${traceId}-${spanId}` }, { parent, sampling: 'undecided', b3: 'single' }],
    ['b3 that only denies', { b3: '0' }, { sampling: 'drop', b3: 'single' }],
    ['b3 that only debugs', { b3: 'd' }, { sampling: 'record', b3: 'single' }],
    ['b3 with something before it', { b3: `x${traceId}-${spanId}-1` }, { sampling: 'undecided', b3: 'single' }],
    [
      'b3 single before multi',
      { b3: `${traceId}-${spanId}-1`, 'x-b3-traceid': otherTrace, 'x-b3-spanid': otherSpan },
      { parent, sampling: 'record', b3: 'single' },
    ],
    [
      'multi when single is malformed',
      { b3: 'x', 'x-b3-traceid': traceId, 'x-b3-spanid': spanId, 'x-b3-sampled': '1' },
      { parent, sampling: 'record', b3: 'single' },
    ],
    [
      'b3 multi',
      { 'x-b3-traceid': traceId, 'x-b3-spanid': spanId, 'x-b3-sampled': '0' },
      { parent, sampling: 'drop', b3: 'multi' },
    ],
    [
      'upper-case b3 multi',
      { 'x-b3-traceid': traceId.toUpperCase(), 'x-b3-spanid': spanId.toUpperCase(), 'x-b3-sampled': 'true' },
      { parent, sampling: 'record', b3: 'multi' },
    ],
    [
      'debug over the decision',
      { 'x-b3-traceid': traceId, 'x-b3-spanid': spanId, 'x-b3-sampled': '0', 'x-b3-flags': '1' },
      { parent, sampling: 'record', b3: 'multi' },
    ],
    ['b3 multi without a span', { 'x-b3-traceid': traceId }, { sampling: 'undecided', b3: 'multi' }],
    ['b3 multi that only denies', { 'x-b3-sampled': '0' }, { sampling: 'drop', b3: 'multi' }],
  ] as const satisfies readonly (readonly [string, Parameters<typeof extractTrace>[0], IncomingTrace])[]) {
    it(`reads ${name}`, () => {
      const { parent: found, ...rest } = extractTrace(headers);
      const reference = found && { traceId: found.traceId, spanId: found.spanId };
      expect({ ...(reference === undefined ? {} : { parent: reference }), ...rest }).to.deep.equal(expected);
    });
  }

  it('gives valid ids or none, whatever it is sent', () => {
    const text = fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-fd-]{0,70}$/));
    fc.assert(
      fc.property(text, text, text, text, (traceparent, b3, id, span) => {
        const { parent: found } = extractTrace({ traceparent, b3, 'x-b3-traceid': id, 'x-b3-spanid': span });
        if (found === undefined) return;
        expect(found.traceId).to.match(/^(?!0{32})[0-9a-f]{32}$/);
        expect(found.spanId).to.match(/^(?!0{16})[0-9a-f]{16}$/);
      }),
    );
  });

  it('keeps the first 32 members of tracestate', () => {
    const members = Array.from({ length: 40 }, (_, i) => `k${i}=v`);
    expect(limitTracestate(members.slice(0, 32).join(','))).to.equal(members.slice(0, 32).join(','));
    expect(limitTracestate(members.join(','))).to.equal(members.slice(0, 32).join(','));
  });
});

function short(sampling: IncomingTrace['sampling'], b3: 'single'): IncomingTrace {
  return { parent: { traceId: '0000000000000000a3ce929d0e0e4736', spanId }, sampling, b3 };
}
