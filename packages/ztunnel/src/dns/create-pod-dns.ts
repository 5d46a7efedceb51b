/** What the DNS proxy of a pod is made of: all of it lives in the pod's network, and sends packets with the proxy's mark. */
import { connectTcp } from '@clearmesh/linux/connect-tcp';
import { datagramSocket } from '@clearmesh/linux/datagram-socket';
import { DatagramTracking } from '@clearmesh/linux/datagram-tracking';
import { listenSocket } from '@clearmesh/linux/listen-socket';
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import { originalDestination } from '@clearmesh/linux/original-destination';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { PodSpec } from '../capture/pods.ts';
import type { DnsConfig, ZtunnelConfig } from '../config.ts';
import { AnswerCache } from './answer-cache.ts';
import { AskedServers } from './asked-servers.ts';
import { Forwarder } from './forwarder.ts';
import { OtherResolvers } from './other-resolvers.ts';
import type { OtherResolversDeps } from './other-resolvers.ts';
import { PodDns } from './pod-dns.ts';
import { DnsResponder } from './responder.ts';
import type { DnsMetrics, ResponderDeps } from './responder.ts';

export type CreatePodDnsDeps = {
  readonly store: ResponderDeps['snapshots'];
  readonly metrics: { readonly dns: DnsMetrics & OtherResolversDeps['metrics'] };
  readonly log: { scope(name: string): Logger };
  readonly clock: Clock;
  readonly random: Random;
  /** Of the proxy: asked for pods that ask one of them, or whose own are not known. */
  readonly nameservers: readonly SocketAddress[];
  /** Of the pod. @default the usual one of its namespace */
  readonly searchList?: readonly string[];
};

/** Opens the DNS proxy of a pod; throws MESH-CAPTURE-001 when a port cannot be opened. */
export function createPodDns(
  { host, port, preferredNamespace, cacheEntries }: DnsConfig,
  { capture, clusterDomain }: Pick<ZtunnelConfig, 'capture' | 'clusterDomain'>,
  { store, metrics, log, clock, random, nameservers, searchList }: CreatePodDnsDeps,
): (spec: PodSpec<NetworkNamespace>) => PodDns {
  const { packetMark, ipv6, reusePort, keepAlive } = capture;
  const marked = packetMark === undefined ? {} : { mark: packetMark };
  const logger = log.scope('dns');
  return ({ namespace, info: pod }) => {
    const forwarder = new Forwarder(
      {},
      {
        openDatagram: (family) => datagramSocket({ namespace, ip: family === 4 ? '0.0.0.0' : '::', port: 0, ...marked }).fd,
        connect: (target, signal) => connectTcp({ namespace, target, ...marked, keepAlive }, signal),
        clock,
        random,
      },
    );
    const others = new OtherResolvers(
      { nameservers },
      {
        forward: (query, way, signal) => forwarder.forward(query, way, signal),
        ...(cacheEntries === 0 ? {} : { cache: new AnswerCache({ maxEntries: cacheEntries }, { clock }) }),
        metrics: metrics.dns,
      },
    );
    const responder = new DnsResponder(
      { pod, clusterDomain, preferredNamespace, ipv6, ...(searchList === undefined ? {} : { searchList }) },
      {
        snapshots: store,
        askOthers: (query, asking, signal) => others.ask(query, asking, signal),
        metrics: metrics.dns,
        random,
        log: logger,
      },
    );
    const servers = new AskedServers({
      openTracking: () => new DatagramTracking(namespace),
      originalDestination,
      logger,
    });
    return new PodDns(
      { namespace, host, port, ...marked, reusePort, keepAlive, ipv6 },
      { listen: listenSocket, openDatagram: datagramSocket, responder, servers, clock, logger },
    );
  };
}
