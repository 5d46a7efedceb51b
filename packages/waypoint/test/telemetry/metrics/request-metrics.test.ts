import { expect } from 'chai';
import { describe, it } from 'mocha';
import { Registry } from 'prom-client';
import { identity, workload } from '@clearmesh/shared/testing/builders';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { RequestMetrics } from '../../../src/telemetry/metrics/request-metrics.ts';
import type { RequestReport } from '../../../src/telemetry/metrics/request-metrics.ts';
import type { RequestSeriesOptions } from '../../../src/telemetry/metrics/request-series.ts';
import { requestFacts } from '../exchange-facts.ts';

const web = workload({ name: 'web', namespace: 'shop' });
const ledger = workload({ name: 'ledger', namespace: 'bank', canonicalRevision: 'v2' });

function report(changes: Partial<RequestReport> = {}): RequestReport {
  return {
    source: web,
    sourceIdentity: identity('shop', 'web'),
    service: requestFacts().called,
    destination: ledger,
    destinationIdentity: identity('bank', 'ledger'),
    grpc: false,
    status: 200,
    flag: '-',
    durationMs: 12,
    requestBytes: 0,
    responseBytes: 300,
    ...changes,
  };
}

class Fixture {
  readonly registry = new Registry();
  readonly clock = new FakeClock();
  readonly metrics: RequestMetrics;

  constructor(options: RequestSeriesOptions = {}) {
    this.metrics = new RequestMetrics(options, { registry: this.registry, clock: this.clock });
  }

  /** Lines of one name. */
  async lines(name: string): Promise<readonly string[]> {
    return (await this.registry.metrics()).split('\n').filter((line) => line.startsWith(`${name}{`));
  }
}

describe('RequestMetrics', () => {
  it('reports Istio’s labels as the waypoint', async () => {
    const fixture = new Fixture();
    fixture.metrics.recvEnded(report());
    const [line = '', ...others] = await fixture.lines('istio_requests_total');
    expect(others).to.deep.equal([]);
    const labels = Object.fromEntries(Array.from(line.matchAll(/(\w+)="([^"]*)"/g), ([, name, value]) => [name, value]));
    expect(labels).to.deep.equal({
      reporter: 'waypoint',
      source_workload: 'web',
      source_canonical_service: 'web',
      source_canonical_revision: 'latest',
      source_workload_namespace: 'shop',
      source_principal: 'spiffe://cluster.local/ns/shop/sa/web',
      source_app: 'web',
      source_version: 'latest',
      source_cluster: 'Kubernetes',
      destination_workload: 'ledger',
      destination_canonical_service: 'ledger',
      destination_canonical_revision: 'v2',
      destination_workload_namespace: 'bank',
      destination_principal: 'spiffe://cluster.local/ns/bank/sa/ledger',
      destination_app: 'ledger',
      destination_version: 'v2',
      destination_cluster: 'Kubernetes',
      destination_service: 'ledger.bank.svc.cluster.local',
      destination_service_name: 'ledger',
      destination_service_namespace: 'bank',
      request_protocol: 'http',
      response_code: '200',
      response_flags: '-',
      connection_security_policy: 'mutual_tls',
    });
    expect(line).to.match(/ 1$/);
  });

  it('tells requests apart by status, flag, caller and service, and by nothing else', async () => {
    const fixture = new Fixture();
    const other = { ...requestFacts().called, key: 'bank/other.bank.svc.cluster.local', hostname: 'other.bank.svc' };
    for (const changes of [
      {},
      { durationMs: 900, responseBytes: 5 },
      { status: 503, flag: 'UH' },
      { status: 503, flag: 'UO' },
      { sourceIdentity: identity('shop', 'batch') },
      { service: other },
      { source: undefined },
      { destination: undefined },
      { source: { ...web } },
    ] as Partial<RequestReport>[])
      fixture.metrics.recvEnded(report(changes));
    expect(fixture.metrics.size).to.equal(7);
    expect((await fixture.lines('istio_requests_total'))[0]).to.match(/ 3$/);
  });

  it('counts durations and sizes in Istio’s buckets', async () => {
    const fixture = new Fixture();
    for (const durationMs of [0.4, 5, 5.1, 4_000_000]) fixture.metrics.recvEnded(report({ durationMs }));
    const buckets = await fixture.lines('istio_request_duration_milliseconds_bucket');
    const counts = buckets.map((line) => [/le="([^"]+)"/.exec(line)?.[1], Number(line.split(' ').at(-1))]);
    expect(counts.slice(0, 4)).to.deep.equal([
      ['0.5', 1],
      ['1', 1],
      ['5', 2],
      ['10', 3],
    ]);
    expect(counts.slice(-2)).to.deep.equal([
      ['3600000', 3],
      ['+Inf', 4],
    ]);
    expect((await fixture.lines('istio_request_duration_milliseconds_sum'))[0]).to.match(/ 4000010.5$/);
    expect((await fixture.lines('istio_response_bytes_count'))[0]).to.match(/ 4$/);
  });

  it('has grpc_response_status and messages for gRPC only', async () => {
    const fixture = new Fixture();
    fixture.metrics.recvEnded(report());
    fixture.metrics.recvEnded(report({ grpc: true, grpcStatus: 14, requestMessages: 1, responseMessages: 3 }));
    const lines = await fixture.lines('istio_requests_total');
    expect(lines.map((line) => line.includes('grpc_response_status'))).to.deep.equal([false, true]);
    expect(lines[1]).to.include('request_protocol="grpc"').and.to.include('grpc_response_status="14"');
    const messages = await fixture.lines('istio_response_messages_total');
    expect(messages).to.have.length(1);
    expect(messages[0]).to.match(/ 3$/);
  });

  it('shares one series beyond the bound, and keeps what alerts are made of (M2)', async () => {
    const fixture = new Fixture({ maxSeries: 10 });
    for (let i = 0; i < 100; i++)
      fixture.metrics.recvEnded(report({ sourceIdentity: identity('shop', `sa-${i}`), status: 503, flag: 'UH' }));
    expect(fixture.metrics.size).to.equal(11);
    const overflow = (await fixture.lines('istio_requests_total')).at(-1);
    expect(overflow).to.include('source_principal="overflow"').and.to.include('response_flags="UH"').and.to.match(/ 90$/);
  });

  it('drops series that were not used for a while (M3)', async () => {
    const fixture = new Fixture({ idleMs: 60_000 });
    fixture.metrics.recvEnded(report());
    fixture.clock.advance(50_000);
    fixture.metrics.recvEnded(report({ status: 404 }));
    fixture.clock.advance(20_000);
    expect(await fixture.lines('istio_requests_total')).to.have.length(1);
    fixture.metrics.recvEnded(report());
    expect(await fixture.lines('istio_requests_total')).to.have.length(2);
  });

  it('forgets what it found by when there are too many callers (leak)', () => {
    const fixture = new Fixture({ maxSeries: 5 });
    for (let i = 0; i < 5_000; i++)
      fixture.metrics.recvEnded(report({ source: undefined, sourceIdentity: identity('shop', `sa-${i}`) }));
    expect(fixture.metrics.size).to.equal(6);
  });
});
