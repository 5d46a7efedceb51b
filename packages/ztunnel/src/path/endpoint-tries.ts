/**
 * The endpoint of one connection, and others when it does not take the connection and the service asks for more tries.
 *
 *   try ─┬─ taken, denied, or nobody asked for more ──▶ that is it
 *        └─ refused or not reached, and nothing was sent ─▶ another endpoint of the service ─▶ try
 *
 * E1  Only an endpoint that certainly got nothing is replaced: no connection came about, or its proxy said that it could not
 *     make one. Of the application nothing was read yet in any case, so nothing can arrive twice.
 * E2  What says more than "not now" is not hidden by another try: a policy that denies, a certificate of somebody else, a
 *     certificate of our own that is not there.
 */
import type net from 'node:net';
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { WorkloadUid } from '@clearmesh/shared/model/names';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { SnapshotSource } from '@clearmesh/shared/snapshot/snapshot';
import type { DialOutcome } from '@clearmesh/shared/tunnel/dialer';
import type { PodNetwork } from '../deliver/pod-network.ts';
import { anotherEndpoint, isEndpoint } from '../resolve/another-endpoint.ts';
import type { PassthroughRoute } from '../resolve/route.ts';
import { lookUpRoute } from './named-workload.ts';
import type { NameLookupDeps } from './named-workload.ts';
import type { OpenEndpoints } from './open-endpoints.ts';
import type { Dialled, DialledRoute, Dialling } from './route-dialer.ts';

export type EndpointTriesDeps = NameLookupDeps & {
  readonly snapshots: SnapshotSource;
  readonly openEndpoints: OpenEndpoints;
  readonly network: PodNetwork;
  /** The access scope. */
  readonly log: Logger;
  readonly metrics: { endpointRetried(): void };
};

export type EndpointRoute = DialledRoute | PassthroughRoute;

/** @param tried endpoints that did not take the connection */
type Dial = (route: DialledRoute, tried: ReadonlySet<WorkloadUid>) => Promise<Dialled>;

/** Where the last try went, and what came of it. */
export type Reached =
  | ({ readonly kind: 'tunnel' } & Dialled)
  | { readonly kind: 'plain'; readonly route: PassthroughRoute; readonly outcome: PlainOutcome };

export type PlainOutcome =
  | { readonly kind: 'open'; readonly socket: net.Socket }
  | { readonly kind: 'failed'; readonly error: unknown };

export class EndpointTries {
  readonly #deps: EndpointTriesDeps;

  constructor(deps: EndpointTriesDeps) {
    this.#deps = deps;
  }

  /**
   * @param dial makes a tunnel, or two
   * @param held gets what has to be let go when the connection is over
   */
  async reach(first: EndpointRoute, dialling: Dialling, dial: Dial, held: DisposableStack): Promise<Reached> {
    const tried = new Set<WorkloadUid>();
    for (let route = first; ;) {
      using trial = new DisposableStack();
      trial.use(this.#deps.openEndpoints.open(route.destination));
      const reached = await this.#try(route, dialling, (way) => dial(way, tried));
      const why = unreached(reached);
      if (reached.route.destination !== undefined) tried.add(reached.route.destination.uid);
      const next = why === undefined ? undefined : await this.#another(reached.route, tried, dialling);
      if (why === undefined || next === undefined) {
        held.use(trial.move());
        return reached;
      }
      this.#recvUnreached(reached.route, why, dialling);
      route = next;
    }
  }

  async #try(
    route: EndpointRoute,
    { captured, connection }: Dialling,
    dial: (route: DialledRoute) => Promise<Dialled>,
  ): Promise<Reached> {
    if (route.kind !== 'passthrough') return { kind: 'tunnel', ...(await dial(route)) };
    const target = formatSocketAddress(route.target);
    connection.joined({ originalDst: formatSocketAddress(captured.originalDestination), actualDst: target, protocol: 'TCP' });
    try {
      const socket = await this.#deps.network.connect(route.target, {}, connection.signal);
      return { kind: 'plain', route, outcome: { kind: 'open', socket } };
    } catch (error) {
      return { kind: 'plain', route, outcome: { kind: 'failed', error } };
    }
  }

  async #another(
    failed: EndpointRoute,
    tried: ReadonlySet<WorkloadUid>,
    { captured, connection }: Dialling,
  ): Promise<EndpointRoute | undefined> {
    if (connection.signal.aborted || !isEndpoint(failed)) return undefined;
    const { snapshots, random, openEndpoints } = this.#deps;
    const loadOf = (uid: WorkloadUid): number => openEndpoints.loadOf(uid);
    const next = anotherEndpoint(failed, captured, snapshots.current, random, { exclude: tried, loadOf });
    if (next?.kind !== 'lookup') return next;
    const found = await lookUpRoute(next, captured.source, this.#deps, connection.signal);
    return found.kind === 'refused' ? undefined : found;
  }

  #recvUnreached(route: EndpointRoute, error: string, { captured }: Dialling): void {
    this.#deps.metrics.endpointRetried();
    this.#deps.log.warn('endpoint not reached, another one of its service is tried', {
      'src.addr': formatSocketAddress(captured.client),
      'dst.addr': formatSocketAddress(route.kind === 'passthrough' ? route.target : route.peer),
      'dst.service': route.service?.hostname,
      'dst.workload': route.destination?.name,
      direction: 'outbound',
      error,
    });
  }
}

/** E1, E2: why the endpoint did not take the connection; `undefined` when it did, or when another may not be tried for that. */
function unreached({ outcome }: Reached): string | undefined {
  switch (outcome.kind) {
    case 'open':
      return undefined;
    case 'refused':
      return outcome.status === 503 ? 'http status: 503 Service Unavailable' : undefined;
    case 'failed':
      if (!('flag' in outcome)) return outcome.error instanceof Error ? outcome.error.message : String(outcome.error);
      return isUnsent(outcome) ? outcome.error.message : undefined;
  }
}

function isUnsent(outcome: Extract<DialOutcome, { kind: 'failed' }>): boolean {
  return outcome.unsent === true && outcome.flag === 'CONNECT';
}
