import { expect } from 'chai';
import { describe, it } from 'mocha';
import { parseExposition } from '../../src/traffic/exposition.ts';
import { trafficRows } from '../../src/traffic/traffic.ts';

const payments = [
  'source_workload="payments-0"',
  'source_workload_namespace="payments"',
  'source_principal="spiffe://cluster.local/ns/payments/sa/payments"',
].join(',');
const ledger = [
  'destination_service_name="ledger"',
  'destination_service_namespace="ledger"',
  'destination_workload_namespace="ledger"',
].join(',');

function rowsOf(...lines: readonly string[]): ReturnType<typeof trafficRows> {
  return trafficRows(parseExposition(lines.join('\n')));
}

describe('trafficRows', () => {
  it('adds up the replicas of a service as the source reports them, and counts nothing twice', () => {
    const rows = rowsOf(
      `istio_tcp_connections_opened_total{reporter="source",${payments},${ledger},destination_workload="ledger-0",response_flags="-"} 2`,
      `istio_tcp_connections_opened_total{reporter="source",${payments},${ledger},destination_workload="ledger-1",response_flags="-"} 3`,
      `istio_tcp_sent_bytes_total{reporter="source",${payments},${ledger},destination_workload="ledger-0",response_flags="-"} 100`,
      `istio_tcp_received_bytes_total{reporter="source",${payments},${ledger},destination_workload="ledger-0",response_flags="-"} 50`,
      `istio_tcp_connections_opened_total{reporter="destination",${payments},${ledger},destination_workload="ledger-0",response_flags="-"} 2`,
    );
    expect(rows).to.deep.equal([
      {
        source: 'payments/payments-0',
        destination: 'ledger/ledger',
        identity: 'payments/payments',
        connections: 5,
        bytes: 150,
        denials: 0,
      },
    ]);
  });

  it('takes refusals from the destination, with the identity that was proven', () => {
    const store = 'destination_service_name="analytics",destination_service_namespace="customer-analytics"';
    const rows = rowsOf(
      `istio_tcp_connections_failed_total{reporter="source",source_workload="payments-0",source_workload_namespace="payments",${store},response_flags="CONNECT"} 1`,
      `istio_tcp_connections_failed_total{reporter="destination",${payments},${store},response_flags="DENY"} 1`,
    );
    expect(rows).to.deep.equal([
      {
        source: 'payments/payments-0',
        destination: 'customer-analytics/analytics',
        identity: 'payments/payments',
        connections: 0,
        bytes: 0,
        denials: 1,
      },
    ]);
  });

  it('shows a caller outside the mesh without an identity', () => {
    const stranger = 'source_workload="stranger-0",source_workload_namespace="default",source_principal="unknown"';
    const rows = rowsOf(
      `istio_tcp_connections_failed_total{reporter="destination",${stranger},destination_service_name="unknown",destination_workload="ledger-0",destination_workload_namespace="ledger",response_flags="DENY"} 4`,
    );
    expect(rows).to.deep.equal([
      { source: 'default/stranger-0', destination: 'ledger/ledger-0', identity: undefined, connections: 0, bytes: 0, denials: 4 },
    ]);
  });

  it('leaves out other metrics and pairs without a connection', () => {
    expect(
      rowsOf('istio_build{component="ztunnel"} 1', `istio_tcp_sent_bytes_total{reporter="source",${payments},${ledger}} 0`),
    ).to.deep.equal([]);
  });
});
