import { expect } from 'chai';
import { describe, it } from 'mocha';
import { Registry } from 'prom-client';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { CounterFamily } from '../../../src/telemetry/metrics/counter-family.ts';
import { registerWaypointGauges } from '../../../src/telemetry/metrics/waypoint-gauges.ts';
import { WaypointMetrics } from '../../../src/telemetry/metrics/waypoint-metrics.ts';

/** The samples of our own families, without comments. */
async function samples(registry: Registry): Promise<readonly string[]> {
  return (await registry.metrics()).split('\n').filter((line) => line.startsWith('clearmesh_'));
}

describe('WaypointMetrics', () => {
  it('counts each decision under its name', async () => {
    const metrics = new WaypointMetrics({ version: '1.2.3' }, { clock: new FakeClock() });
    metrics.denied({ reason: 'opa-denied', policy: 'OpaPolicy ledger/four-eyes', flag: 'UAEX' });
    metrics.denied({ reason: 'policy-denied', flag: 'RBAC' });
    metrics.attemptEnded('answer');
    metrics.attemptEnded('answer');
    metrics.retried('connect-failure');
    metrics.retryRefused('budget');
    metrics.ejected('consecutive-5xx');
    metrics.idempotencyDecided('replayed');
    metrics.rateLimitDecided('RateLimitPolicy bank/callers', 'per-caller', 'refuse');
    metrics.faultInjected('FaultExperiment bank/slow', 'delay');
    metrics.opaDecided({ policy: 'OpaPolicy a/b', decision: 'allow', cached: false, durationMs: 0.8 });
    metrics.opaDecided({ policy: 'OpaPolicy a/b', decision: 'allow', cached: true, durationMs: 0 });
    metrics.configurationAccepted();
    metrics.configurationRejected();
    const lines = await samples(metrics.registry);
    expect(lines.filter((line) => !line.includes('_duration_'))).to.have.members([
      'clearmesh_denials_total{reason="opa-denied",policy="OpaPolicy ledger/four-eyes",response_flags="UAEX"} 1',
      'clearmesh_denials_total{reason="policy-denied",policy="",response_flags="RBAC"} 1',
      'clearmesh_waypoint_attempts_total{outcome="answer"} 2',
      'clearmesh_waypoint_retries_total{reason="connect-failure"} 1',
      'clearmesh_waypoint_retries_refused_total{reason="budget"} 1',
      'clearmesh_waypoint_ejections_total{cause="consecutive-5xx"} 1',
      'clearmesh_waypoint_idempotency_total{state="replayed"} 1',
      'clearmesh_waypoint_rate_limit_decisions_total{policy="RateLimitPolicy bank/callers",limit="per-caller",decision="refuse"} 1',
      'clearmesh_waypoint_faults_total{experiment="FaultExperiment bank/slow",kind="delay"} 1',
      'clearmesh_waypoint_opa_decisions_total{policy="OpaPolicy a/b",decision="allow",cached="false"} 1',
      'clearmesh_waypoint_opa_decisions_total{policy="OpaPolicy a/b",decision="allow",cached="true"} 1',
      'clearmesh_waypoint_configurations_total{result="accepted"} 1',
      'clearmesh_waypoint_configurations_total{result="rejected"} 1',
      `clearmesh_waypoint_configuration_accepted_timestamp_seconds ${Date.UTC(2026, 0, 1) / 1_000}`,
    ]);
    expect(lines).to.include('clearmesh_waypoint_opa_decision_duration_seconds_count{policy="OpaPolicy a/b"} 1');
    expect(await metrics.registry.metrics()).to.include('istio_build{component="waypoint",tag="1.2.3"} 1');
  });

  it('reads breakers, ejections, spans and lines when it is scraped', async () => {
    const registry = new Registry();
    let breakers: readonly { backend: string; state: 'open' | 'half-open' }[] = [{ backend: 'a', state: 'open' }];
    registerWaypointGauges(
      {
        breakers: () => breakers,
        ejected: () => [{ service: 's', endpoints: 2 }],
        active: () => [{ backend: 'a', requests: 7 }],
        spans: () => ({ exported: 10, dropped: 3 }),
        accessLines: () => ({ written: 5, sampledOut: 4, lost: 1 }),
      },
      { registry },
    );
    expect(await samples(registry)).to.have.members([
      'clearmesh_waypoint_breaker_state{backend="a"} 2',
      'clearmesh_waypoint_endpoints_ejected{service="s"} 2',
      'clearmesh_waypoint_requests_active{backend="a"} 7',
      'clearmesh_waypoint_spans_total{result="exported"} 10',
      'clearmesh_waypoint_spans_total{result="dropped"} 3',
      'clearmesh_waypoint_access_log_lines_total{result="written"} 5',
      'clearmesh_waypoint_access_log_lines_total{result="sampled-out"} 4',
      'clearmesh_waypoint_access_log_lines_total{result="lost"} 1',
    ]);
    breakers = [{ backend: 'b', state: 'half-open' }];
    expect((await samples(registry)).filter((line) => line.includes('breaker'))).to.deep.equal([
      'clearmesh_waypoint_breaker_state{backend="b"} 1',
    ]);
  });
});

describe('CounterFamily', () => {
  it('shares one series beyond its bound', async () => {
    const registry = new Registry();
    const options = { name: 'clearmesh_x_total', help: 'x', labelNames: ['a', 'b'], maxSeries: 2 };
    const family = new CounterFamily(options, { registry });
    for (let i = 0; i < 10; i++) family.inc(`${i}`, 'x');
    expect(await samples(registry)).to.deep.equal([
      'clearmesh_x_total{a="0",b="x"} 1',
      'clearmesh_x_total{a="1",b="x"} 1',
      'clearmesh_x_total{a="overflow",b="overflow"} 8',
    ]);
  });

  it('shows a counter without labels before it counted', async () => {
    const registry = new Registry();
    const family = new CounterFamily({ name: 'clearmesh_y_total', help: 'y', labelNames: [] }, { registry });
    expect(await samples(registry)).to.deep.equal(['clearmesh_y_total 0']);
    family.inc();
    expect(await samples(registry)).to.deep.equal(['clearmesh_y_total 1']);
  });
});
