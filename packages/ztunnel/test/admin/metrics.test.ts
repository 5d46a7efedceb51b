import { expect } from 'chai';
import { describe, it } from 'mocha';
import { policyKey } from '@clearmesh/shared/model/names';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { Metrics } from '../../src/admin/metrics.ts';

async function lines(metrics: Metrics): Promise<readonly string[]> {
  return (await metrics.registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

describe('Metrics', () => {
  it('has every metric of section 11.1 that this proxy offers', async () => {
    const text = await new Metrics({ version: '0.1.0' }, { clock: new FakeClock() }).registry.metrics();
    const names = Array.from(text.matchAll(/^# TYPE (\S+)/gm), ([, name]) => name);
    expect(names).to.have.members([
      'process_open_fds',
      'process_max_fds',
      'process_resident_memory_bytes',
      'process_cpu_seconds_total',
      'istio_build',
      'istio_xds_connection_terminations_total',
      'istio_xds_message_total',
      'istio_xds_message_bytes_total',
      'workload_manager_active_proxy_count',
      'workload_manager_pending_proxy_count',
      'workload_manager_proxies_started_total',
      'workload_manager_proxies_stopped_total',
      'clearmesh_denials_total',
      'clearmesh_ignored_callers_total',
      'clearmesh_gateway_retries_total',
      'clearmesh_endpoint_retries_total',
      'clearmesh_misdirected_retries_total',
      'clearmesh_access_log_lines_total',
      'clearmesh_accept_failures_total',
      'clearmesh_dry_run_decisions_total',
      'istio_tcp_connections_opened_total',
      'istio_tcp_connections_closed_total',
      'istio_tcp_connections_failed_total',
      'istio_tcp_received_bytes_total',
      'istio_tcp_sent_bytes_total',
      'istio_tcp_sockets_open',
      'istio_dns_requests_total',
      'istio_dns_upstream_requests_total',
      'istio_dns_upstream_failures_total',
      'istio_dns_upstream_request_duration_seconds',
      'clearmesh_dns_cache_total',
      'clearmesh_dns_overloads_total',
      'istio_on_demand_dns_total',
      'clearmesh_on_demand_waits_total',
    ]);
  });

  it('counts ignored callers, second tries at waypoints and ways taken after 421', async () => {
    const metrics = new Metrics({ version: '0.1.0' }, { clock: new FakeClock() });
    metrics.callerIgnored();
    metrics.gatewayRetried();
    metrics.gatewayRetried();
    metrics.misdirectedRetried();
    metrics.endpointRetried();
    expect(await lines(metrics)).to.include.members([
      'clearmesh_ignored_callers_total 1',
      'clearmesh_gateway_retries_total 2',
      'clearmesh_misdirected_retries_total 1',
      'clearmesh_endpoint_retries_total 1',
    ]);
  });

  it('counts denials by reason, policy and flag', async () => {
    const metrics = new Metrics({ version: '0.1.0' }, { clock: new FakeClock() });
    metrics.denied({ direction: 'inbound', reason: 'explicit-deny', policy: policyKey('bank', 'strict'), flag: 'DENY' });
    metrics.denied({ direction: 'outbound', reason: 'waypoint-unavailable' });
    metrics.denied({ direction: 'outbound', reason: 'no-healthy-upstream' });
    expect((await lines(metrics)).filter((line) => line.startsWith('clearmesh_denials_total'))).to.deep.equal([
      'clearmesh_denials_total{direction="inbound",reason="explicit-deny",policy="bank/strict",response_flags="DENY"} 1',
      'clearmesh_denials_total{direction="outbound",reason="waypoint-unavailable",policy="",response_flags="NWP"} 1',
      'clearmesh_denials_total{direction="outbound",reason="no-healthy-upstream",policy="",response_flags="-"} 1',
    ]);
  });

  it('counts what the control plane sends, the ends of its streams, and pods', async () => {
    const metrics = new Metrics({ version: '0.1.0' }, { clock: new FakeClock() });
    metrics.xdsReceived('type.googleapis.com/istio.workload.Address', 828);
    metrics.xdsReceived('type.googleapis.com/istio.workload.Address', 0);
    metrics.xdsTerminated('Reconnect');
    metrics.pods(2, 1);
    metrics.podStarted();
    metrics.podStopped();
    const found = await lines(metrics);
    expect(found).to.include.members([
      'istio_build{component="ztunnel",tag="0.1.0"} 1',
      'istio_xds_message_total{url="type.googleapis.com/istio.workload.Address"} 2',
      'istio_xds_message_bytes_total{url="type.googleapis.com/istio.workload.Address"} 828',
      'istio_xds_connection_terminations_total{reason="Reconnect"} 1',
      'workload_manager_active_proxy_count 2',
      'workload_manager_pending_proxy_count 1',
      'workload_manager_proxies_started_total 1',
      'workload_manager_proxies_stopped_total 1',
    ]);
    expect(found.some((line) => /^process_open_fds [1-9]/.test(line))).to.equal(true);
  });
});
