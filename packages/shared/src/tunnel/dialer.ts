/**
 * What the outbound path asks of the tunnel: one authenticated byte stream to an authority.
 */
import type { Duplex } from 'node:stream';
import type { IpAddress, SocketAddress } from '../model/ip-address.ts';
import type { SpiffeId } from '../identity/spiffe.ts';
import type { MeshError } from '../observe/mesh-error.ts';
import type { ConnectRequest } from './engine.ts';

/** Pool key (section 2.4): tunnels are shared only between connections equal in all four. */
export type TunnelTarget = {
  readonly sourceIdentity: SpiffeId;
  /** Who may answer; the first is the chosen workload's own identity. */
  readonly acceptedPeers: readonly SpiffeId[];
  readonly address: SocketAddress;
  readonly sourceIp: IpAddress;
};

/** `flag` is the response flag of section 11.1. */
export type TunnelFailureFlag = 'CONNECT' | 'TLS_FAILURE' | 'H2_HANDSHAKE_FAILURE' | 'IDENTITY_ERROR' | 'CERT_REVOKED' | 'DENY';

/** Where the way by a network's gateway ended; absent at the far end, and where there is no gateway. */
type AtGateway = { readonly at?: 'gateway' };

export type DialOutcome =
  | { readonly kind: 'open'; readonly stream: Duplex; readonly peer: SpiffeId; readonly baggage?: string }
  | ({ readonly kind: 'refused'; readonly status: number; readonly peer: SpiffeId } & AtGateway)
  | ({
      readonly kind: 'failed';
      readonly flag: TunnelFailureFlag;
      readonly error: MeshError;
      /** True when the peer certainly did nothing: no request went out, or it said so. @default false */
      readonly unsent?: boolean;
    } & AtGateway);

export interface TunnelDialer extends AsyncDisposable {
  dial(target: TunnelTarget, request: ConnectRequest, signal: AbortSignal): Promise<DialOutcome>;
}

/** Somebody in another network, behind its gateway (section 2.8). */
export type NestedTarget = {
  /** The gateway. */
  readonly outer: TunnelTarget;
  /** Who may answer at the far end; nobody, where it is empty. */
  readonly innerPeers: readonly SpiffeId[];
  /** The caller's own network: the far end is told that addresses of the caller mean nothing there. */
  readonly ownNetwork: string;
};

export interface NestedTunnelDialer {
  dial(target: NestedTarget, request: ConnectRequest, signal: AbortSignal): Promise<DialOutcome>;
}
