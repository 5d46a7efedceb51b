import type { IpAddress, SocketAddress } from '../model/ip-address.ts';
import type { SpiffeId } from '../identity/spiffe.ts';

/** What a layer-4 policy may look at. */
export type PolicyFacts = {
  /** The immediate TCP peer; a forwarded address is never believed. */
  readonly sourceIp: IpAddress;
  /** Proven by mTLS, or by mTLS of the destination’s own waypoint that names this caller; absent for plaintext. */
  readonly identity?: SpiffeId;
  /** Where the connection finally goes, after target-port resolution. */
  readonly destination: SocketAddress;
};
