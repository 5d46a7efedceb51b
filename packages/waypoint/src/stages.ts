/** The stages of a data plane that outlive configurations, and the connections below them. */
import { readFile } from 'node:fs/promises';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import { staleAddresses } from '@clearmesh/shared/resolve/stale-addresses';
import { PooledDialer } from '@clearmesh/shared/tunnel/pooled-dialer';
import { Authorisers } from './authorise/authorisers.ts';
import { Backends } from './forward/backends.ts';
import { dialTcp } from './forward/tcp-dial.ts';
import { WireConnector } from './forward/wire-connection.ts';
import { WireUpstream } from './forward/wire-upstream.ts';
import { FaultInjector } from './shape/fault-injector.ts';
import { RedisConnections } from './shape/redis-connections.ts';
import type { DataPlaneDeps, DataPlaneOptions } from './data-plane.ts';

/** What outlives configurations. */
export type Stages = {
  readonly wire: WireUpstream;
  readonly backends: Backends;
  readonly redis: RedisConnections;
  readonly authorisers: Authorisers;
  readonly faults: FaultInjector;
};

export function stagesOf(options: DataPlaneOptions, deps: DataPlaneDeps, resources: AsyncDisposableStack): Stages {
  const { clock, random, log, metrics } = deps;
  const wire = wireOf(options, deps, resources);
  const readText = (path: string): Promise<string> => readFile(path, 'utf8');
  return {
    wire,
    backends: resources.use(new Backends({}, { upstream: wire, clock, random, metrics })),
    redis: resources.use(new RedisConnections({}, { clock, random, logger: log.scope('redis'), readText })),
    authorisers: resources.use(
      new Authorisers(
        { cluster: options.clusterId, wasmThreads: options.opaWorkers },
        { clock, random, logger: log.scope('opa') },
      ),
    ),
    faults: new FaultInjector({ clock, random }),
  };
}

function wireOf(options: DataPlaneOptions, deps: DataPlaneDeps, resources: AsyncDisposableStack): WireUpstream {
  const { identity, certificates, engine, clock, log, snapshots } = deps;
  const connect = (target: SocketAddress, signal: AbortSignal): ReturnType<typeof dialTcp> => dialTcp(target, signal);
  const dialer = resources.use(
    new PooledDialer(
      { connectMs: 5_000 },
      {
        engine,
        certificates,
        connect,
        clock,
        logger: log.scope('tunnel'),
        onPeerDraining: ({ address }) => wire.retire(address.ip),
      },
    ),
  );
  const connector = new WireConnector({ identity, address: options.instanceIp }, { dialer });
  const wire = resources.use(new WireUpstream({}, { connector, clock }));
  const unsubscribe = snapshots.onChange((snapshot, change) => {
    // D2.
    for (const ip of staleAddresses(snapshot, change, options.network)) dialer.closePeer(ip);
    const removed = new Set(change.workloadsRemoved.map(({ uid }) => uid as string));
    if (removed.size > 0) wire.forget((endpoint) => removed.has(endpoint.slice(0, endpoint.lastIndexOf('/'))));
  });
  resources.defer(unsubscribe);
  return wire;
}
