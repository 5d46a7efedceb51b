import { expect } from 'chai';
import { describe, it } from 'mocha';
import { Registry } from 'prom-client';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { noSpans } from '../src/path/connection-spans.ts';
import { registerSpanMetrics, startSpans } from '../src/start-spans.ts';

const deps = { clock: systemClock, logger: silentLogger };

describe('startSpans', () => {
  it('records nothing without a collector', async () => {
    const spans = await startSpans(undefined, deps);
    expect(spans.sink).to.equal(noSpans);
    expect(spans.sink.samples('f'.repeat(32))).to.equal(false);
    await spans.shutdown();
  });

  it('counts what a collector that is gone does not take', async () => {
    const collector = { url: 'http://127.0.0.1:9/v1/traces', resource: {}, exportTimeoutMs: 100 };
    const spans = await startSpans(collector, deps);
    const registry = new Registry();
    registerSpanMetrics(spans.counts, { registry });
    expect(spans.sink.samples('0'.repeat(32))).to.equal(true);
    const ids = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) };
    spans.sink.record({ ...ids, name: 'connect', kind: 'client', startMs: 0, endMs: 1, attributes: {} });
    await spans.shutdown();
    // The exporter may hear of its failure a little later than of its end.
    while (spans.counts().dropped === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(await registry.metrics()).to.match(/clearmesh_spans_total\{result="dropped"\} 1/);
  });
});
