import { expect } from 'chai';
import { describe, it } from 'mocha';
import { Registry } from 'prom-client';
import { identity, service, socketAddress, workload } from '@clearmesh/shared/testing/builders';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { TcpMetrics } from '../../src/admin/tcp-metrics.ts';
import type { TcpSeriesOptions } from '../../src/admin/tcp-series.ts';
import type { Bytes, ReportFacts } from '../../src/path/connection-report.ts';

const eu = { region: 'eu', zone: 'eu-a', subzone: '' };
const client = workload({
  name: 'client',
  workloadName: 'client-deploy',
  canonicalName: 'client-app',
  canonicalRevision: 'v1',
  clusterId: 'cl-1',
  locality: eu,
});
const server = workload({
  name: 'server',
  workloadName: 'server-deploy',
  canonicalName: 'server-app',
  canonicalRevision: 'v2',
  clusterId: 'cl-1',
});
const ledger = service({ name: 'ledger' });

function facts(overrides: Partial<ReportFacts> = {}): ReportFacts {
  return {
    direction: 'outbound',
    source: { address: socketAddress('10.0.0.1:1'), workload: client, identity: identity('bank', 'client-sa') },
    destination: {
      address: socketAddress('10.0.0.2:15008'),
      hboneAddress: '10.0.0.2:8080',
      workload: server,
      service: ledger,
      identity: identity('bank', 'server-sa'),
    },
    ...overrides,
  };
}

type Bed = { readonly metrics: TcpMetrics; readonly clock: FakeClock; readonly scrape: () => Promise<readonly string[]> };

function bed(options: TcpSeriesOptions = {}): Bed {
  const [registry, clock] = [new Registry(), new FakeClock()];
  const metrics = new TcpMetrics(options, { registry, clock });
  return {
    metrics,
    clock,
    scrape: async () => (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#')),
  };
}

/** Values of one metric by flag. */
function byFlag(lines: readonly string[], metric: string): Readonly<Record<string, number>> {
  const found = lines.filter((line) => line.startsWith(`${metric}{`));
  return Object.fromEntries(
    found.map((line) => [/response_flags="([^"]*)"/.exec(line)?.[1] ?? '', Number(line.split(' ').at(-1))]),
  );
}

const none: Bytes = { received: 0, sent: 0 };

describe('TcpMetrics (section 11.1)', () => {
  it('tells callers apart that come through one waypoint, beside the waypoint itself', async () => {
    const { metrics, scrape } = bed();
    const through = (account: string) => ({ ...facts().source, caller: identity('bank', account) });
    const callers = [through('payments'), through('payments'), through('audit'), facts().source];
    for (const source of callers) metrics.open(facts({ direction: 'inbound', source }), () => none);
    const opened = (await scrape()).filter((line) => line.startsWith('istio_tcp_connections_opened_total'));
    expect(opened.map((line) => [/source_caller="[^"]*\/(.*?)"/.exec(line)?.[1], line.split(' ').at(-1)])).to.deep.equal([
      ['payments', '2'],
      ['audit', '1'],
      [undefined, '1'],
    ]);
    for (const line of opened) expect(line).to.contain('source_principal="spiffe://cluster.local/ns/bank/sa/client-sa"');
  });

  it('writes Istio’s labels, all of them', async () => {
    const { metrics, scrape } = bed();
    metrics.open(facts(), () => none);
    const line = (await scrape()).find((candidate) => candidate.startsWith('istio_tcp_connections_opened_total'));
    expect(line).to.equal(
      'istio_tcp_connections_opened_total{reporter="source",source_workload="client-deploy",source_canonical_service="client-app",' +
        'source_canonical_revision="v1",source_workload_namespace="bank",source_principal="spiffe://cluster.local/ns/bank/sa/client-sa",' +
        'source_app="client-app",source_version="v1",source_cluster="cl-1",destination_service="ledger.bank.svc.cluster.local",' +
        'destination_service_namespace="bank",destination_service_name="ledger",destination_workload="server-deploy",' +
        'destination_canonical_service="server-app",destination_canonical_revision="v2",destination_workload_namespace="bank",' +
        'destination_principal="spiffe://cluster.local/ns/bank/sa/server-sa",destination_app="server-app",destination_version="v2",' +
        'destination_cluster="cl-1",request_protocol="tcp",response_flags="-",connection_security_policy="mutual_tls",' +
        'source_region="eu",source_zone="eu-a",destination_region="unknown",destination_zone="unknown"} 1',
    );
  });

  it('says unknown of what it does not know, and nothing of localities when there are none', async () => {
    const { metrics, scrape } = bed();
    const [source, destination] = [
      { address: socketAddress('10.0.0.1:1'), workload: { ...client, locality: { region: '', zone: '', subzone: '' } } },
      { address: socketAddress('9.9.9.9:53') },
    ];
    metrics.open(facts({ source, destination }), () => none);
    const [line] = await scrape();
    expect(line)
      .to.include('source_principal="unknown"')
      .and.include('destination_workload="unknown"')
      .and.include('connection_security_policy="unknown"');
    expect(line).to.not.include('region');
  });

  it('counts bytes while the connection is open, and each once', async () => {
    const { metrics, scrape } = bed();
    let bytes: Bytes = { received: 10, sent: 100 };
    const series = metrics.open(facts(), () => bytes);
    const values = async (): Promise<readonly number[]> => {
      const lines = await scrape();
      return [byFlag(lines, 'istio_tcp_received_bytes_total')['-'] ?? 0, byFlag(lines, 'istio_tcp_sent_bytes_total')['-'] ?? 0];
    };
    expect(await values()).to.deep.equal([10, 100]);
    bytes = { received: 15, sent: 100 };
    expect(await values()).to.deep.equal([15, 100]);
    series.close({ received: 20, sent: 130 }, '-');
    expect(await values()).to.deep.equal([20, 130]);
  });

  it('does not count backwards when a socket forgets its bytes', async () => {
    const { metrics, scrape } = bed();
    const series = metrics.open(facts(), () => ({ received: 10, sent: 10 }));
    await scrape();
    series.close(none, '-');
    expect(byFlag(await scrape(), 'istio_tcp_received_bytes_total')).to.deep.equal({ '-': 10 });
  });

  it('flags the end, and counts it as failed unless it is "-"', async () => {
    const { metrics, scrape } = bed();
    for (const flag of ['-', 'DENY', 'DENY', 'CONNECT', 'NWP'] as const) metrics.open(facts(), () => none).close(none, flag);
    const lines = await scrape();
    expect(byFlag(lines, 'istio_tcp_connections_opened_total')).to.deep.equal({ '-': 5 });
    expect(byFlag(lines, 'istio_tcp_connections_closed_total')).to.deep.equal({ '-': 1, DENY: 2, CONNECT: 1, NWP: 1 });
    expect(byFlag(lines, 'istio_tcp_connections_failed_total')).to.deep.equal({ DENY: 2, CONNECT: 1, NWP: 1 });
  });

  it('counts an end once', async () => {
    const { metrics, scrape } = bed();
    const series = metrics.open(facts(), () => none);
    series.close(none, '-');
    series.close(none, 'DENY');
    expect(byFlag(await scrape(), 'istio_tcp_connections_closed_total')).to.deep.equal({ '-': 1 });
  });

  it('tells open connections by reporter', async () => {
    const { metrics, scrape } = bed();
    metrics.open(facts(), () => none);
    metrics.open(facts({ direction: 'inbound' }), () => none);
    metrics.open(facts({ direction: 'inbound' }), () => none).close(none, '-');
    const lines = await scrape();
    expect(lines.filter((line) => line.startsWith('istio_tcp_sockets_open'))).to.deep.equal([
      'istio_tcp_sockets_open{reporter="source"} 1',
      'istio_tcp_sockets_open{reporter="destination"} 1',
    ]);
  });

  it('shares one series between pods of one workload', () => {
    const { metrics } = bed();
    for (let pod = 0; pod < 50; pod++) {
      const workloadOfPod = { ...client, name: `client-${pod}`, uid: workload({ name: `client-${pod}` }).uid };
      metrics.open(facts({ source: { ...facts().source, workload: workloadOfPod } }), () => none);
    }
    expect(metrics.size).to.equal(1);
  });

  it('bounds the series: further ones are counted together as overflow (M2)', async () => {
    const { metrics, scrape } = bed({ maxSeries: 3 });
    for (let at = 0; at < 10; at++) {
      const other = workload({ name: `w${at}` });
      metrics.open(facts({ destination: { ...facts().destination, workload: other } }), () => none);
    }
    expect(metrics.size).to.equal(4);
    expect(
      (await scrape())
        .find((line) => line.includes('destination_workload="overflow"'))
        ?.split(' ')
        .at(-1),
    ).to.equal('7');
  });

  it('drops series that nobody uses any more, and starts anew when they come back (M3)', async () => {
    const { metrics, scrape, clock } = bed({ idleMs: 1_000 });
    const closed = metrics.open(facts(), () => none);
    const open = metrics.open(facts({ direction: 'inbound' }), () => none);
    closed.close(none, '-');
    await scrape();
    clock.advance(1_001);
    await scrape();
    expect(metrics.size).to.equal(1);
    const lines = await scrape();
    expect(
      lines.filter((line) => line.includes('reporter="source"') && !line.startsWith('istio_tcp_sockets_open')),
    ).to.deep.equal([]);
    metrics.open(facts(), () => none);
    expect(
      byFlag(
        (await scrape()).filter((line) => line.includes('reporter="source"')),
        'istio_tcp_connections_opened_total',
      ),
    ).to.deep.equal({ '-': 1 });
    open.close(none, '-');
    expect(metrics.size).to.equal(2);
  });
});
