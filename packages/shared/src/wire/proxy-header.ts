/**
 * The PROXY protocol v2 header that tells an application tunnel who called whom (l4-contract section 2.7; HAProxy's
 * proxy-protocol.txt section 2.2). Pure: addresses in, bytes out.
 */
import { ipFamily, ipToBytes } from '../model/ip-address.ts';
import type { IpAddress, SocketAddress } from '../model/ip-address.ts';
import type { SpiffeId } from '../identity/spiffe.ts';

export type ProxyHeaderFacts = {
  /** The tunnel's TCP peer. */
  readonly source: SocketAddress;
  /** What was asked for. */
  readonly destination: SocketAddress;
  /** Proven by mTLS. */
  readonly identity?: SpiffeId;
};

const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const versionAndCommand = 0x21;
const tcpOverIpv4 = 0x11;
const tcpOverIpv6 = 0x21;
/** The type Istio uses for the peer's SPIFFE id; 0xE0–0xEF would be the specification's range for experiments. */
const peerIdentityType = 0xd0;

/** The whole header; addresses of unlike families are both written as IPv6. */
export function proxyHeader({ source, destination, identity }: ProxyHeaderFacts): Buffer {
  const wide = ipFamily(source.ip) === 6 || ipFamily(destination.ip) === 6;
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(source.port, 0);
  ports.writeUInt16BE(destination.port, 2);
  const payload = Buffer.concat([
    addressBytes(source.ip, wide),
    addressBytes(destination.ip, wide),
    ports,
    identityTlv(identity),
  ]);
  const head = Buffer.alloc(4);
  head.writeUInt8(versionAndCommand, 0);
  head.writeUInt8(wide ? tcpOverIpv6 : tcpOverIpv4, 1);
  head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([signature, head, payload]);
}

function addressBytes(ip: IpAddress, wide: boolean): Uint8Array {
  const bytes = ipToBytes(ip);
  if (!wide || bytes.length === 16) return bytes;
  // RFC 4291 section 2.5.5.2: an IPv4-mapped IPv6 address.
  return Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...bytes);
}

function identityTlv(identity: SpiffeId | undefined): Buffer {
  if (identity === undefined) return Buffer.alloc(0);
  const value = Buffer.from(identity);
  const head = Buffer.alloc(3);
  head.writeUInt8(peerIdentityType, 0);
  head.writeUInt16BE(value.length, 1);
  return Buffer.concat([head, value]);
}
