/**
 * What a node proxy holds at this moment, read at scrape time:
 *
 *   clearmesh_tunnels{direction}          tunnels open, to peers (outbound) and from them
 *   clearmesh_tunnel_streams{direction}   connections in them
 *   clearmesh_buffered_bytes              bytes taken from one side of a connection and not yet taken by the other
 */
import { Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { Direction } from '../path/access-log.ts';

export type TunnelLoad = { readonly tunnels: number; readonly streams: number };
export type Load = Readonly<Record<Direction, TunnelLoad>> & { readonly bufferedBytes: number };

export function registerLoadMetrics(read: () => Load, { registry }: { readonly registry: Registry }): void {
  const registers = [registry];
  const perDirection = (name: string, help: string, of: (load: TunnelLoad) => number): void => {
    const metric: Gauge = new Gauge({
      name,
      help,
      labelNames: ['direction'],
      registers,
      collect: () => {
        const load = read();
        for (const direction of ['inbound', 'outbound'] as const) metric.set({ direction }, of(load[direction]));
      },
    });
  };
  perDirection('clearmesh_tunnels', 'Tunnels open now', ({ tunnels }) => tunnels);
  perDirection('clearmesh_tunnel_streams', 'Connections in tunnels now', ({ streams }) => streams);
  const buffered: Gauge = new Gauge({
    name: 'clearmesh_buffered_bytes',
    help: 'Bytes that one side of a connection has not taken yet',
    registers,
    collect: () => buffered.set(read().bufferedBytes),
  });
}

/** What the pods hold together. */
export function sumLoad(loads: Iterable<Load>): Load {
  const sum = { inbound: { tunnels: 0, streams: 0 }, outbound: { tunnels: 0, streams: 0 }, bufferedBytes: 0 };
  for (const load of loads) {
    for (const direction of ['inbound', 'outbound'] as const) {
      sum[direction].tunnels += load[direction].tunnels;
      sum[direction].streams += load[direction].streams;
    }
    sum.bufferedBytes += load.bufferedBytes;
  }
  return sum;
}
