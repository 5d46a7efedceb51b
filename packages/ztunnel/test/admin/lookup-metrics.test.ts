import { expect } from 'chai';
import { describe, it } from 'mocha';
import { Registry } from 'prom-client';
import { workload } from '@clearmesh/shared/testing/builders';
import { LookupMetrics } from '../../src/admin/lookup-metrics.ts';

async function lines(registry: Registry): Promise<readonly string[]> {
  return (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

describe('LookupMetrics', () => {
  it('counts names looked up by source and hostname, as Istio labels them', async () => {
    const registry = new Registry();
    const metrics = new LookupMetrics({}, { registry });
    const source = workload({ name: 'teller', workloadName: 'tellers', canonicalName: 'teller', canonicalRevision: 'v2' });
    metrics.nameLookedUp(source, 'partner.example');
    metrics.nameLookedUp(source, 'partner.example');
    const labels =
      'source_workload="tellers",source_canonical_service="teller",source_canonical_revision="v2",' +
      'source_workload_namespace="bank",source_principal="spiffe://cluster.local/ns/bank/sa/default",' +
      'source_app="teller",source_version="v2",source_cluster="Kubernetes",hostname="partner.example"';
    expect(await lines(registry)).to.deep.equal([`istio_on_demand_dns_total{${labels}} 2`]);
  });

  it('tells so many pairs of source and hostname apart, and counts the rest as overflow', async () => {
    const registry = new Registry();
    const metrics = new LookupMetrics({ maxPairs: 1 }, { registry });
    for (const hostname of ['a.example', 'b.example', 'c.example', 'a.example']) metrics.nameLookedUp(workload(), hostname);
    const counted = (await lines(registry)).map((line) => /hostname="(\S+)"\} (\d+)$/.exec(line)?.slice(1));
    expect(counted).to.deep.equal([
      ['a.example', '2'],
      ['overflow', '2'],
    ]);
  });

  it('counts waits by how they ended', async () => {
    const registry = new Registry();
    const metrics = new LookupMetrics({}, { registry });
    for (const outcome of ['answered', 'late', 'answered'] as const) metrics.lookedUpOnDemand(outcome);
    expect(await lines(registry)).to.deep.equal([
      'clearmesh_on_demand_waits_total{outcome="answered"} 2',
      'clearmesh_on_demand_waits_total{outcome="late"} 1',
    ]);
  });
});
