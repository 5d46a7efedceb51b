import { expect } from 'chai';
import { describe, it } from 'mocha';
import { identity } from '@clearmesh/shared/testing/builders';
import type { EndedSpan } from '@clearmesh/shared/tracing/span-export';
import { sampledShare } from '../../src/path/connection-spans.ts';
import { Application, untilEnd } from './applications.ts';
import { MeshBed, serverIp } from './mesh-bed.ts';

/** A question and its answer over a tunnel; the spans of both proxies, the client's first. */
async function spansOf(ratio: number, port?: number): Promise<{ readonly spans: readonly EndedSpan[]; readonly bed: MeshBed }> {
  const spans: EndedSpan[] = [];
  const sink = { samples: sampledShare(ratio), record: (span: EndedSpan) => void spans.push(span) };
  await using bed = await MeshBed.create({ spans: sink });
  await using app = await Application.echo(serverIp);
  const client = await bed.call(port ?? app.port);
  client.end('question');
  await untilEnd(client);
  await Promise.all([bed.complete('inbound'), bed.complete('outbound')]);
  return { spans: spans.toSorted((one, other) => (one.kind < other.kind ? -1 : 1)), bed };
}

describe('spans of connections', () => {
  it('are the client’s, and below it the server’s', async () => {
    const { spans, bed } = await spansOf(1);
    const [client, server] = spans;
    expect(spans.map(({ kind, name }) => [kind, name])).to.deep.equal([
      ['client', 'connect server'],
      ['server', 'connect server'],
    ]);
    expect(server).to.include({ traceId: client?.traceId, parentSpanId: client?.spanId, error: undefined });
    expect(client?.parentSpanId).to.equal(undefined);
    expect(server?.attributes).to.include({
      'network.transport': 'tcp',
      'mesh.source.workload': 'client',
      'mesh.source.principal': identity('bank', 'client-sa'),
      'mesh.bytes.received': 8,
      'mesh.bytes.sent': 8,
    });
    for (const { startMs, endMs } of spans) {
      expect(endMs).to.be.at.least(startMs);
      expect(Math.abs(endMs - Date.now())).to.be.lessThan(60_000);
    }
    expect(bed.log.filter((line) => line['span_id'] === client?.spanId)).to.have.length(1);
  });

  it('say why a connection failed', async () => {
    const { spans } = await spansOf(1, 9);
    expect(spans.map(({ error, attributes }) => [attributes['error.type'], error?.slice(0, 16)])).to.deep.equal([
      ['CONNECT', 'http status: 503'],
      ['CONNECT', 'connection to 12'],
    ]);
  });

  it('are none of a trace that nobody records', async () => {
    const { spans, bed } = await spansOf(0);
    expect(spans).to.deep.equal([]);
    expect(bed.log.every((line) => line['span_id'] === undefined)).to.equal(true);
  });

  it('are of that share of the traces, whoever asks', () => {
    const traces = Array.from({ length: 4_000 }, (_, i) => ((i * 2_654_435_761) >>> 0).toString(16).padStart(32, '0'));
    const [one, other] = [sampledShare(0.25), sampledShare(0.25)];
    const sampled = traces.filter(one);
    expect(sampled.length).to.be.within(900, 1_100);
    expect(traces.filter(other)).to.deep.equal(sampled);
    expect([traces.every(sampledShare(1)), traces.some(sampledShare(0))]).to.deep.equal([true, false]);
  });
});
