/**
 * One connection to the control plane with one delta stream on it (l4-contract section 3.1). Made anew for every
 * attempt, so that roots and token are read anew and nothing of a broken connection is left.
 */
import { createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { AggregatedDiscoveryService } from '../wire/gen/xds/discovery_pb.ts';
import type { DeltaDiscoveryRequest, DeltaDiscoveryResponse } from '../wire/gen/xds/discovery_pb.ts';
import { MeshError } from '../observe/mesh-error.ts';
import type { Clock } from '../lifecycle/clock.ts';
import type { TlsPolicy } from '../tls/tls-policy.ts';
import { readRoot, readToken } from './credentials.ts';
import { GrpcSession } from './grpc-session.ts';

export type XdsRemote = {
  /** `https://host:port`. */
  readonly url: string;
  /** Path of a PEM file, PEM text itself, or `SYSTEM`. */
  readonly root: string;
  /** A further DNS name the server certificate may carry. */
  readonly altHostname?: string;
  /** @default TLS 1.3 */
  readonly tls?: TlsPolicy;
  /** Path of the token file, or the token itself. */
  readonly authToken: string;
  readonly clusterId: string;
  /** Sent with the stream beside `authorization` and `clusterid`. */
  readonly headers?: Readonly<Record<string, string>>;
};

const maxMessageBytes = 200 * 1024 * 1024;

export class XdsConnection implements Disposable {
  readonly #session: GrpcSession;
  readonly #headers: Readonly<Record<string, string>>;

  private constructor(session: GrpcSession, headers: Readonly<Record<string, string>>) {
    this.#session = session;
    this.#headers = headers;
  }

  /** An established connection, or a MeshError with the cause. Waits 5 s at most. */
  static async open(remote: XdsRemote, deps: { readonly clock: Clock }, signal: AbortSignal): Promise<XdsConnection> {
    const [root, token] = await Promise.all([readRoot(remote.root), readToken(remote.authToken)]);
    const { url, altHostname, clusterId, tls } = remote;
    try {
      const session = await GrpcSession.open({ url, root, altHostname, tls }, deps, signal);
      return new XdsConnection(session, { ...remote.headers, authorization: `Bearer ${token}`, clusterid: clusterId });
    } catch (cause) {
      const text = cause instanceof Error ? cause.message : String(cause);
      throw new MeshError('MESH-XDS-001', { message: `the control plane at ${url} could not be reached: ${text}`, cause });
    }
  }

  /** Opens the delta stream; it ends with the response's end, or throws the gRPC error. */
  stream(requests: AsyncIterable<DeltaDiscoveryRequest>, signal: AbortSignal): AsyncIterable<DeltaDiscoveryResponse> {
    const transport = createGrpcTransport({
      baseUrl: this.#session.authority,
      sessionManager: this.#session,
      readMaxBytes: maxMessageBytes,
    });
    return createClient(AggregatedDiscoveryService, transport).deltaAggregatedResources(requests, {
      signal,
      headers: this.#headers,
    });
  }

  [Symbol.dispose](): void {
    this.#session[Symbol.dispose]();
  }
}
