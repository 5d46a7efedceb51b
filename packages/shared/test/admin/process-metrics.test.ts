import { closeSync, openSync, readdirSync } from 'node:fs';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { Registry } from 'prom-client';
import { registerProcessMetrics } from '../../src/admin/process-metrics.ts';

async function valueOf(registry: Registry, name: string): Promise<number> {
  const metric = await registry.getSingleMetric(name)?.get();
  return metric?.values[0]?.value ?? Number.NaN;
}

describe('metrics of the process', () => {
  it('count open files one by one, as a listing of them does', async () => {
    const registry = new Registry();
    registerProcessMetrics(registry);
    const before = await valueOf(registry, 'process_open_fds');
    // A listing opens the directory, and lists that too.
    expect(Math.abs(before - readdirSync('/proc/self/fd').length)).to.be.at.most(1);
    const opened = Array.from({ length: 100 }, () => openSync('/dev/null', 'r'));
    const meanwhile = await valueOf(registry, 'process_open_fds');
    for (const fd of opened) closeSync(fd);
    expect([meanwhile - before, (await valueOf(registry, 'process_open_fds')) - before]).to.deep.equal([100, 0]);
  });

  it('tell the limit of open files, memory and processor time', async () => {
    const registry = new Registry();
    registerProcessMetrics(registry);
    expect(await valueOf(registry, 'process_max_fds')).to.be.greaterThan(100);
    expect(await valueOf(registry, 'process_resident_memory_bytes')).to.be.greaterThan(10_000_000);
    expect(await valueOf(registry, 'process_cpu_seconds_total')).to.be.greaterThan(0);
  });
});
