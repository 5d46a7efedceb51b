import { Registry } from 'prom-client';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { workload } from '@clearmesh/shared/testing/builders';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { DnsQueryMetrics } from '../../src/admin/dns-metrics.ts';

describe('the DNS metrics', () => {
  it('tell so many services apart and no more, and few types', async () => {
    const registry = new Registry();
    const metrics = new DnsQueryMetrics({ maxSources: 2 }, { registry, clock: new FakeClock() });
    for (const canonicalName of ['a', 'b', 'c', 'd', 'a']) {
      for (const type of [1, 4_711, 4_712]) metrics.asked({ type, protocol: 'udp', source: workload({ canonicalName }) });
    }
    const series =
      /^istio_dns_requests_total\{request_query_type="(\w+)".*canonical_service="(\w+)".*revision="(\w+)"\} (\d+)$/gm;
    const found = [...(await registry.metrics()).matchAll(series)].map((match) => match.slice(1).join(' '));
    expect(found.sort()).to.deep.equal([
      'a a latest 2',
      'a b latest 1',
      'a overflow overflow 2',
      'unknown a latest 4',
      'unknown b latest 2',
      'unknown overflow overflow 4',
    ]);
  });

  it('tell what became of questions that memory may answer', async () => {
    const registry = new Registry();
    const metrics = new DnsQueryMetrics({}, { registry, clock: new FakeClock() });
    for (const outcome of ['hit', 'miss', 'hit', 'shared'] as const) metrics.cacheUsed(outcome);
    const found = [...(await registry.metrics()).matchAll(/^clearmesh_dns_cache_total\{outcome="(\w+)"\} (\d+)$/gm)];
    expect(found.map((match) => match.slice(1).join(' '))).to.deep.equal(['hit 2', 'miss 1', 'shared 1']);
  });
});
