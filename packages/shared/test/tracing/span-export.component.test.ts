import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { silentLogger } from '../../src/observe/log.ts';
import { startSpanExport } from '../../src/tracing/span-export.ts';
import type { EndedSpan } from '../../src/tracing/span-export.ts';

const span: EndedSpan = {
  traceId: 'a'.repeat(32),
  spanId: 'b'.repeat(16),
  parentSpanId: 'c'.repeat(16),
  name: 'connect ledger',
  kind: 'server',
  startMs: 1_700_000_000_000.5,
  endMs: 1_700_000_000_250.5,
  attributes: { 'network.transport': 'tcp', 'mesh.bytes.sent': 5, 'mesh.policy': undefined },
  error: 'x'.repeat(2_000),
};

type Sent = { readonly resourceSpans: readonly [{ readonly scopeSpans: readonly [{ readonly spans: readonly object[] }] }] };

describe('the export of ended spans', () => {
  it('posts them with the ids they were given, and leaves out what is not known', async () => {
    const bodies: string[] = [];
    const server = createServer((request, response) => {
      let text = '';
      request.setEncoding('utf8').on('data', (part: string) => (text += part));
      request.on('end', () => {
        bodies.push(text);
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`;
    const exporting = startSpanExport(
      'clearmesh-ztunnel',
      { url, protocol: 'http/json', resource: { 'service.name': 'ztunnel' } },
      { logger: silentLogger },
    );
    exporting.record(span);
    await exporting.shutdown();
    server.close();
    server.closeAllConnections();
    expect(exporting.counts()).to.deep.equal({ exported: 1, dropped: 0 });
    expect(bodies.join('')).to.include('"clearmesh-ztunnel"').and.to.include('"ztunnel"');
    const [posted] = (JSON.parse(bodies[0] ?? '') as Sent).resourceSpans[0].scopeSpans[0].spans;
    expect(posted).to.deep.include({
      traceId: span.traceId,
      spanId: span.spanId,
      parentSpanId: span.parentSpanId,
      name: 'connect ledger',
      kind: 2,
      attributes: [
        { key: 'network.transport', value: { stringValue: 'tcp' } },
        { key: 'mesh.bytes.sent', value: { intValue: 5 } },
      ],
      status: { code: 2, message: 'x'.repeat(1_024) },
    });
    const { startTimeUnixNano, endTimeUnixNano } = posted as { startTimeUnixNano: string; endTimeUnixNano: string };
    expect([startTimeUnixNano, endTimeUnixNano]).to.deep.equal(['1700000000000500000', '1700000000250500000']);
  });

  it('counts as dropped what no collector takes, and ends all the same', async () => {
    const exporting = startSpanExport(
      'clearmesh-ztunnel',
      { url: 'http://127.0.0.1:9/v1/traces', resource: {}, exportTimeoutMs: 100 },
      { logger: silentLogger },
    );
    exporting.record(span);
    await exporting.shutdown();
    // The exporter may hear of its failure a little later than of its end.
    while (exporting.counts().dropped === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(exporting.counts()).to.deep.equal({ exported: 0, dropped: 1 });
  });
});
