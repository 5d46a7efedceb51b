/** A small real control plane for tests: gRPC over TLS and HTTP/2, whose behaviour the test picks for each stream. */
import { createSecureServer } from 'node:http2';
import type { Http2SecureServer, ServerHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { AggregatedDiscoveryService } from '../../src/wire/gen/xds/discovery_pb.ts';
import type { DeltaDiscoveryRequest, DeltaDiscoveryResponse } from '../../src/wire/gen/xds/discovery_pb.ts';
import { DeltaServerStream } from '../../src/subscribe/delta-server.ts';
import type { ResourceSet } from '../../src/subscribe/delta-server.ts';
import type { TestAuthority } from '../../src/testing/test-authority.ts';

type StreamContext = {
  /** Counts from 1. */
  readonly number: number;
  readonly headers: Headers;
  readonly requests: AsyncIterable<DeltaDiscoveryRequest>;
};

export type StreamBehaviour = (stream: StreamContext) => AsyncGenerator<DeltaDiscoveryResponse, void>;

export type SeenRequest = { readonly stream: number; readonly request: DeltaDiscoveryRequest };

export class FakeControlPlane implements AsyncDisposable {
  readonly #server: Http2SecureServer;
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #waiting = new Set<() => void>();
  /** Every request of every stream. */
  readonly requests: SeenRequest[] = [];
  /** Headers of every stream. */
  readonly headers: Headers[] = [];
  /** What streams do from now on. */
  behaviour: StreamBehaviour;

  private constructor(authority: { readonly certPem: string; readonly keyPem: string }, behaviour: StreamBehaviour) {
    this.behaviour = behaviour;
    const adapter = connectNodeAdapter({
      routes: (router) =>
        router.service(AggregatedDiscoveryService, {
          deltaAggregatedResources: (requests, context) => this.#stream(requests, context.requestHeader),
        }),
    });
    this.#server = createSecureServer({ cert: authority.certPem, key: authority.keyPem }, adapter);
    this.#server.on('session', (session) => {
      this.#sessions.add(session);
      session.on('close', () => this.#sessions.delete(session));
      session.on('error', () => {});
    });
  }

  /** @param port 0 lets the kernel choose */
  static async listen(authority: TestAuthority, behaviour: StreamBehaviour, port = 0): Promise<FakeControlPlane> {
    const plane = new FakeControlPlane(
      await authority.issue({ dnsNames: ['control-plane.test'], ips: ['127.0.0.1'] }),
      behaviour,
    );
    await new Promise<void>((resolve) => plane.#server.listen(port, '127.0.0.1', resolve));
    return plane;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  /** Resolves when `met` holds; looked at after each request. */
  async until(met: () => boolean): Promise<void> {
    while (!met()) await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  /** Breaks every connection. */
  cut(): void {
    for (const session of this.#sessions) session.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.cut();
    await closed;
  }

  #stream(requests: AsyncIterable<DeltaDiscoveryRequest>, headers: Headers): AsyncGenerator<DeltaDiscoveryResponse, void> {
    this.headers.push(headers);
    const number = this.headers.length;
    return this.behaviour({ number, headers, requests: this.#watch(requests, number) });
  }

  async *#watch(requests: AsyncIterable<DeltaDiscoveryRequest>, stream: number): AsyncGenerator<DeltaDiscoveryRequest> {
    for await (const request of requests) {
      this.requests.push({ stream, request });
      for (const wake of this.#waiting) wake();
      this.#waiting.clear();
      yield request;
    }
  }
}

/** Serves what `resources` gives at each request, as a delta server does; stops after `limit` responses. */
export function serve(resources: () => ResourceSet, limit: number = Number.POSITIVE_INFINITY): StreamBehaviour {
  return async function* ({ requests }) {
    const stream = new DeltaServerStream();
    let sent = 0;
    for await (const request of requests) {
      for (const response of stream.recvRequest(request, resources())) {
        yield response;
        sent++;
      }
      if (sent >= limit && stream.settled) return;
    }
  };
}
