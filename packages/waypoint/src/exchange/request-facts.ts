/** What is known of one request before anything is decided about it. Made once by `accept/`, never changed. */
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { ServiceKey } from '@clearmesh/shared/model/names';
import type { TlsFacts } from '@clearmesh/shared/tls/handshake';
import type { TelemetryWorkload } from '@clearmesh/shared/wire/peer-baggage';

/** Who called: proven by the TLS handshake of the tunnel; no header is believed. */
export type Caller = {
  readonly identity: SpiffeId;
  /** The TCP peer of the tunnel. */
  readonly address: SocketAddress;
  /** The client's address as its ztunnel tells it; telemetry only. */
  readonly client?: SocketAddress;
  readonly tls: TlsFacts;
  /** Of a caller in another network, whose address is its gateway's: what it says of itself; telemetry only. */
  readonly elsewhere?: { readonly baggage?: string; readonly workload?: TelemetryWorkload };
};

/** What was called: decided by the CONNECT authority, not by the Host header. */
export type CalledService = {
  readonly key: ServiceKey;
  readonly hostname: string;
  readonly namespace: string;
  /** Service port. */
  readonly port: number;
  /** The original destination. */
  readonly address: SocketAddress;
};

/** Names are lower case; repeated fields as Node gives them. */
export type RequestHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

export type RequestFacts = {
  /** UUID; `x-request-id`. */
  readonly id: string;
  readonly caller: Caller;
  readonly called: CalledService;
  readonly protocol: 'HTTP/1.1' | 'HTTP/2';
  /** `content-type: application/grpc…`: refusals answer 200 with `grpc-status`. */
  readonly grpc: boolean;
  readonly method: string;
  /** Host header or `:authority`. */
  readonly authority: string;
  /** Still escaped, without query. */
  readonly path: string;
  /** Without `?`; "" when there is none. */
  readonly query: string;
  readonly headers: RequestHeaders;
  /** Since the epoch, milliseconds. */
  readonly receivedAtMs: number;
  /** Monotonic, milliseconds. */
  readonly startedMs: number;
};

/** The first value of a header, or `undefined`. */
export function headerOf(headers: RequestHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : value?.[0];
}
