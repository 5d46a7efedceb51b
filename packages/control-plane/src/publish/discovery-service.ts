/**
 * Delta discovery for many proxies.
 *
 * In: requests of authenticated streams, published resources. Out: responses.
 * X1  A stream costs the memory of one state: at most one request waits, one response per type is in flight.
 * X2  Nothing is sent before a first configuration was taken: an empty answer would make proxies forget what they hold.
 * X3  Streams end with the drain, and with the token that opened them; proxies keep their state and come back.
 */
import { Code, ConnectError } from '@connectrpc/connect';
import { DeltaServerStream } from '@clearmesh/shared/subscribe/delta-server';
import { ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL } from '@clearmesh/shared/wire/type-urls';
import type { DeltaDiscoveryRequest, DeltaDiscoveryResponse } from '@clearmesh/shared/wire/gen/xds/discovery_pb';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { ResourceSet } from '@clearmesh/shared/subscribe/resource-set';
import { Wakeup } from '../lifecycle/wakeup.ts';
import { accountOf } from '../certify/caller.ts';
import { nodeMismatch } from './node-identity.ts';
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
    const expired = new AbortController();
    const cancelExpiry = this.#deps.clock.after(this.#msUntil(expiresAtMs), () => expired.abort());
    const stop = AbortSignal.any([signal, this.#deps.draining, expired.signal]);
    const bell = new Wakeup();
    const ring = (): void => bell.ring();
    const unsubscribe = this.#deps.published.onChange(ring);
    stop.addEventListener('abort', ring, { once: true });
    try {
      yield* this.#converse(new RequestInbox(requests, { bell }), caller, bell, stop);
    } finally {
      cancelExpiry();
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
    const stream = new DeltaServerStream();
    using introduction = new DisposableStack();
    let reached: ResourceSet | undefined;
    let known = false;
    while (!stop.aborted) {
      const resources = this.#deps.published.current;
      const request = resources === undefined ? undefined : inbox.take();
      if (resources !== undefined && request !== undefined) {
        if (!known) introduction.use(this.#introduce(request, caller));
        known = true;
        yield* this.#counted(stream.recvRequest(request, resources));
        this.#noteNack(stream, request, caller);
      } else if (resources !== undefined && resources !== reached) {
        reached = resources;
        yield* this.#counted(stream.publish(resources));
      } else if (inbox.ended) {
        return;
      } else {
        await bell.wait();
      }
    }
  }

  /** One line when a proxy comes, one when it goes. */
  #introduce(request: DeltaDiscoveryRequest, caller: Caller): Disposable {
    const who = { account: accountOf(caller), pod: caller.pod?.name, node: caller.node };
    const mismatch = nodeMismatch(request.node, caller);
    if (mismatch !== undefined) {
      this.#deps.logger.warn('discovery refused', { ...who, reason: mismatch });
      throw new ConnectError('unauthenticated', Code.Unauthenticated);
    }
    this.#deps.logger.info('proxy connected', who);
    return { [Symbol.dispose]: () => this.#deps.logger.info('proxy gone', who) };
  }

  *#counted(responses: readonly DeltaDiscoveryResponse[]): Generator<DeltaDiscoveryResponse> {
    for (const response of responses) {
      this.#deps.metrics.pushes.add({ type: response.typeUrl });
      yield response;
    }
  }

  #noteNack(stream: DeltaServerStream, request: DeltaDiscoveryRequest, caller: Caller): void {
    const nack = request.errorDetail === undefined ? undefined : stream.lastNack(request.typeUrl);
    if (nack === undefined || nack.nonce !== request.responseNonce) return;
    const type = knownTypes.has(request.typeUrl) ? request.typeUrl : 'other';
    this.#deps.metrics.nacks.add({ type });
    this.#deps.logger.warn('a proxy rejected resources', {
      type,
      account: accountOf(caller),
      pod: caller.pod?.name,
      node: caller.node,
      reason: nack.message.slice(0, 1000),
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

const knownTypes: ReadonlySet<string> = new Set([ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL]);
