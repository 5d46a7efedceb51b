/**
 * Delta discovery for many proxies.
 *
 * In: requests of authenticated streams, published resources. Out: responses.
 * X1  A stream costs the memory of one state: at most one request waits, one response per type is in flight.
 * X2  Nothing is sent before a first configuration was taken: an empty answer would make proxies forget what they hold.
 * X3  A proxy sees what its token entitles it to, whatever it subscribes to.
 * X4  Streams end with the drain, and with the token that opened them; proxies keep their state and come back.
 */
import { Code, ConnectError } from '@connectrpc/connect';
import { DeltaServerStream } from '@clearmesh/shared/subscribe/delta-server';
import { WAYPOINT_CONFIGURATION_TYPE_URL } from '@clearmesh/shared/wire/type-urls';
import type { DeltaDiscoveryRequest, DeltaDiscoveryResponse } from '@clearmesh/shared/wire/gen/xds/discovery_pb';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { Deadline } from '@clearmesh/shared/lifecycle/deadline';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { ResourceSet } from '@clearmesh/shared/subscribe/resource-set';
import { Wakeup } from '../lifecycle/wakeup.ts';
import { accountOf } from '../certify/caller.ts';
import { ClientView, ownResource, typesFor } from './client-view.ts';
import { nodeMismatch, proxyKindOf } from './node-identity.ts';
import { RequestInbox } from './request-inbox.ts';
import type { Authenticated, Caller } from '../certify/caller.ts';
import type { ControlPlaneMetrics } from '../admin/control-plane-metrics.ts';
import type { PublishedSource } from './publisher.ts';

export type DiscoveryOptions = {
  /** Streams open at a time. @default 5000 */
  readonly maxClients?: number;
  /** Streams open at a time for one pod; a proxy that reconnects may have two. @default 4 */
  readonly maxStreamsPerCaller?: number;
};

type Deps = {
  readonly published: PublishedSource;
  readonly metrics: Pick<ControlPlaneMetrics, 'discoveryClients' | 'nacks' | 'pushes'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Ends every stream. */
  readonly draining: AbortSignal;
  /** Hears how waypoints take what they are told. @default nobody */
  readonly waypoints?: WaypointListener;
};

export type WaypointListener = {
  /** A waypoint opened a stream; `gateway` is `namespace/name`, `pod` the name of its pod. Must not throw. */
  connected(gateway: string, pod: string): WaypointSession;
};

/** One stream of a waypoint; disposed at its end. */
export type WaypointSession = Disposable & {
  /** `error` is absent when the configuration was accepted. Must not throw. */
  recvAnswer(error: string | undefined): void;
};

/** A stream after its proxy was introduced. */
type Client = {
  readonly caller: Caller;
  readonly stream: DeltaServerStream;
  readonly view: ClientView;
  readonly session: WaypointSession | undefined;
  /** Nonce of the configuration that a waypoint was sent last, until it answers. */
  unanswered: string | undefined;
};

export class DiscoveryService {
  readonly #options: DiscoveryOptions;
  readonly #deps: Deps;
  readonly #streams = new Map<string, number>();
  #clients = 0;

  constructor(options: DiscoveryOptions, deps: Deps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** One stream; `signal` aborts when the peer is gone. */
  async *serve(
    requests: AsyncIterable<DeltaDiscoveryRequest>,
    { caller, expiresAtMs }: Authenticated,
    signal: AbortSignal,
  ): AsyncGenerator<DeltaDiscoveryResponse> {
    using _admitted = this.#admit(caller);
    using expiry = new Deadline({ limitMs: this.#msUntil(expiresAtMs) }, this.#deps);
    const stop = AbortSignal.any([signal, this.#deps.draining, expiry.signal]);
    const bell = new Wakeup();
    const ring = (): void => bell.ring();
    const unsubscribe = this.#deps.published.onChange(ring);
    stop.addEventListener('abort', ring, { once: true });
    try {
      yield* this.#converse(new RequestInbox(requests, { bell }), caller, bell, stop);
    } finally {
      unsubscribe();
      stop.removeEventListener('abort', ring);
    }
  }

  async *#converse(
    inbox: RequestInbox<DeltaDiscoveryRequest>,
    caller: Caller,
    bell: Wakeup,
    stop: AbortSignal,
  ): AsyncGenerator<DeltaDiscoveryResponse> {
    using introduction = new DisposableStack();
    let reached: ResourceSet | undefined;
    let client: Client | undefined;
    while (!stop.aborted) {
      const resources = this.#deps.published.current;
      const request = resources === undefined ? undefined : inbox.take();
      if (resources !== undefined && request !== undefined) {
        client ??= this.#introduce(request, caller, introduction);
        const responses = client.stream.recvRequest(request, client.view.of(resources));
        this.#noteAnswer(client, request);
        yield* this.#counted(client, responses);
      } else if (resources !== undefined && resources !== reached) {
        reached = resources;
        if (client !== undefined) yield* this.#counted(client, client.stream.publish(client.view.of(resources)));
      } else if (inbox.ended) {
        return;
      } else {
        await bell.wait();
      }
    }
  }

  /** One line when a proxy comes, one when it goes. */
  #introduce(request: DeltaDiscoveryRequest, caller: Caller, stay: DisposableStack): Client {
    const kind = proxyKindOf(request.node);
    const who = { kind, account: accountOf(caller), pod: caller.pod?.name, node: caller.node };
    const mismatch = nodeMismatch(request.node, caller);
    if (kind === undefined || mismatch !== undefined) {
      this.#deps.logger.warn('discovery refused', { ...who, reason: mismatch });
      throw new ConnectError('unauthenticated', Code.Unauthenticated);
    }
    this.#deps.logger.info('proxy connected', who);
    stay.defer(() => this.#deps.logger.info('proxy gone', who));
    const session =
      kind === 'waypoint' ? this.#deps.waypoints?.connected(ownResource(caller), caller.pod?.name ?? '') : undefined;
    if (session !== undefined) stay.use(session);
    const stream = new DeltaServerStream({ types: typesFor(kind), node: caller.node });
    return { caller, stream, view: new ClientView(kind, caller), session, unanswered: undefined };
  }

  *#counted(client: Client, responses: readonly DeltaDiscoveryResponse[]): Generator<DeltaDiscoveryResponse> {
    for (const response of responses) {
      if (response.typeUrl === WAYPOINT_CONFIGURATION_TYPE_URL) client.unanswered = response.nonce;
      this.#deps.metrics.pushes.add({ type: response.typeUrl });
      yield response;
    }
  }

  /** An answer to what was sent before the last is no answer; the stream knows which that is. */
  #noteAnswer(client: Client, { typeUrl, responseNonce, errorDetail }: DeltaDiscoveryRequest): void {
    const { caller, stream, session } = client;
    const nack = errorDetail === undefined ? undefined : stream.lastNack(typeUrl);
    const reason = nack?.nonce === responseNonce ? nack.message.slice(0, 1000) : undefined;
    if (typeUrl === WAYPOINT_CONFIGURATION_TYPE_URL && responseNonce !== '' && responseNonce === client.unanswered) {
      client.unanswered = undefined;
      session?.recvAnswer(reason);
    }
    if (reason === undefined) return;
    const type = knownTypes.has(typeUrl) ? typeUrl : 'other';
    this.#deps.metrics.nacks.add({ type });
    this.#deps.logger.warn('a proxy rejected resources', {
      type,
      account: accountOf(caller),
      pod: caller.pod?.name,
      node: caller.node,
      reason,
    });
  }

  #msUntil(atMs: number): number {
    return Math.min(maxTimerMs, Math.max(0, atMs - this.#deps.clock.now()));
  }

  #admit(caller: Caller): Disposable {
    const key = `${accountOf(caller)}/${caller.pod?.uid ?? ''}`;
    const open = this.#streams.get(key) ?? 0;
    if (this.#clients >= (this.#options.maxClients ?? 5000) || open >= (this.#options.maxStreamsPerCaller ?? 4)) {
      this.#deps.logger.warn('discovery refused', {
        account: accountOf(caller),
        pod: caller.pod?.name,
        reason: 'too many streams',
      });
      throw new ConnectError('too many streams', Code.ResourceExhausted);
    }
    this.#count(key, 1);
    return { [Symbol.dispose]: () => this.#count(key, -1) };
  }

  #count(key: string, change: 1 | -1): void {
    const open = (this.#streams.get(key) ?? 0) + change;
    if (open === 0) this.#streams.delete(key);
    else this.#streams.set(key, open);
    this.#clients += change;
    this.#deps.metrics.discoveryClients.set(this.#clients);
  }
}

/** What a timer holds, some 24 days; a stream whose token lives longer is opened anew then. */
const maxTimerMs = 2 ** 31 - 1;

const knownTypes: ReadonlySet<string> = new Set(typesFor('waypoint'));
