import { expect } from 'chai';
import { describe, it } from 'mocha';
import { Registry } from 'prom-client';
import { registerLoadMetrics, sumLoad } from '../../src/admin/load-metrics.ts';

const load = (
  tunnels: number,
  bufferedBytes: number,
): Parameters<typeof sumLoad>[0] extends Iterable<infer One> ? One : never => ({
  inbound: { tunnels, streams: 2 * tunnels },
  outbound: { tunnels: 10 * tunnels, streams: 20 * tunnels },
  bufferedBytes,
});

describe('the metrics of what is held', () => {
  it('are read at each scrape, of all pods together', async () => {
    const registry = new Registry();
    const loads = [load(1, 100), load(2, 30)];
    registerLoadMetrics(() => sumLoad(loads), { registry });
    const values = async (): Promise<readonly string[]> =>
      (await registry.metrics()).split('\n').filter((line) => line.startsWith('clearmesh_'));
    expect(await values()).to.deep.equal([
      'clearmesh_tunnels{direction="inbound"} 3',
      'clearmesh_tunnels{direction="outbound"} 30',
      'clearmesh_tunnel_streams{direction="inbound"} 6',
      'clearmesh_tunnel_streams{direction="outbound"} 60',
      'clearmesh_buffered_bytes 130',
    ]);
    loads.length = 0;
    expect((await values()).every((line) => line.endsWith(' 0'))).to.equal(true);
  });
});
