/** Sends requests over real connections: HTTP/1.1 or HTTP/2, as the endpoint speaks. */
import type { Duplex } from 'node:stream';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { IpAddress } from '@clearmesh/shared/model/ip-address';
import type { LightSignal } from '../exchange/light-signal.ts';
import type { UpgradeOutcome } from './http1-answer.ts';
import { Http1Upstream } from './http1-upstream.ts';
import type { Http1Options } from './http1-upstream.ts';
import { Http2Upstream } from './http2-upstream.ts';
import type { Http2Options } from './http2-upstream.ts';
import type { NotConnected, WireConnector } from './wire-connection.ts';
import type { AttemptOutcome, Upstream, UpstreamBody, UpstreamEndpoint, UpstreamRequest } from './upstream.ts';

export type WireUpstreamOptions = { readonly http1?: Http1Options; readonly http2?: Http2Options };

export class WireUpstream implements Upstream, AsyncDisposable {
  readonly #http1: Http1Upstream;
  readonly #http2: Http2Upstream;
  readonly #connector: WireConnector;

  constructor(options: WireUpstreamOptions, deps: { readonly connector: WireConnector; readonly clock: Clock }) {
    this.#http1 = new Http1Upstream(options.http1 ?? {}, deps);
    this.#http2 = new Http2Upstream(options.http2 ?? {}, deps);
    this.#connector = deps.connector;
  }

  /** Pools and sessions open now. */
  get size(): number {
    return this.#http1.size + this.#http2.size;
  }

  send(endpoint: UpstreamEndpoint, request: UpstreamRequest, body: UpstreamBody, signal: LightSignal): Promise<AttemptOutcome> {
    const way = endpoint.protocol === 'HTTP/2' ? this.#http2 : this.#http1;
    return way.send(endpoint, request, body, signal);
  }

  /** RFC 9110 section 7.8, always over HTTP/1.1. */
  upgrade(endpoint: UpstreamEndpoint, request: UpstreamRequest, protocol: string, signal: AbortSignal): Promise<UpgradeOutcome> {
    return this.#http1.upgrade(endpoint, request, protocol, signal);
  }

  /** A connection of its own for bytes that are no HTTP. */
  async open(
    endpoint: UpstreamEndpoint,
    { caller, connect = {} }: Pick<UpstreamRequest, 'caller' | 'connect'>,
    signal: AbortSignal,
  ): Promise<{ readonly kind: 'connected'; readonly stream: Duplex } | NotConnected> {
    return this.#connector.connect(endpoint, caller, connect, signal);
  }

  /** Ends what is open to endpoints that are gone: the address may soon be another's (design decision 7). */
  forget(isGone: (endpointId: string) => boolean): void {
    this.#http1.forget(isGone);
    this.#http2.forget(isGone);
  }

  /** The proxy before an endpoint takes no new streams, and will cut what is open: nothing new is sent on old connections. */
  retire(ip: IpAddress): void {
    this.#http1.retire(ip);
    this.#http2.retire(ip);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#http1[Symbol.asyncDispose](), this.#http2[Symbol.asyncDispose]()]);
  }
}
