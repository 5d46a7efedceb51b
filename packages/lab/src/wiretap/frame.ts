/** Ethernet, IPv4 (RFC 791), IPv6 (RFC 8200) and TCP (RFC 9293) headers; never throws. */
import { ipFromBytes } from '@clearmesh/shared/model/ip-address';
import type { IpAddress } from '@clearmesh/shared/model/ip-address';
import { ByteReader } from './byte-reader.ts';
import type { Packet, TcpSegment } from './packet.ts';

const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
const ETHERTYPE_VLAN = 0x8100;
const PROTOCOL_TCP = 6;
/** Hop-by-hop, routing and destination options: all give their length in units of 8 bytes after the first 8. */
const skippedHeaders: ReadonlySet<number> = new Set([0, 43, 60]);
const HEADER_FRAGMENT = 44;

type Ip = {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly protocol: number;
  readonly isFragment: boolean;
  readonly payload: Uint8Array;
};

/** What an Ethernet frame carries. */
export function parseFrame(frame: Uint8Array): Packet['content'] {
  const ip = parseEthernet(frame);
  if (ip === undefined) return { kind: 'other', payload: frame };
  const segment = ip.protocol === PROTOCOL_TCP && !ip.isFragment ? parseTcp(ip) : undefined;
  const { source, destination, protocol, payload } = ip;
  return segment ?? { kind: 'ip', source, destination, protocol, payload };
}

function parseEthernet(frame: Uint8Array): Ip | undefined {
  const reader = new ByteReader(frame);
  reader.bytes(12);
  let type = reader.uint16();
  if (type === ETHERTYPE_VLAN) {
    reader.uint16();
    type = reader.uint16();
  }
  if (reader.failed) return undefined;
  const packet = reader.bytes(reader.remaining);
  if (type === ETHERTYPE_IPV4) return parseIpv4(packet);
  return type === ETHERTYPE_IPV6 ? parseIpv6(packet) : undefined;
}

function parseIpv4(packet: Uint8Array): Ip | undefined {
  const reader = new ByteReader(packet);
  const first = reader.uint8();
  reader.uint8();
  const totalLength = reader.uint16();
  reader.uint16();
  const fragment = reader.uint16();
  reader.uint8();
  const protocol = reader.uint8();
  reader.uint16();
  const source = ipFromBytes(reader.bytes(4));
  const destination = ipFromBytes(reader.bytes(4));
  const headerLength = (first & 0x0f) * 4;
  reader.bytes(Math.max(0, headerLength - 20));
  // A frame may be longer (Ethernet pads to 60 bytes) or, if captured short, shorter than the packet says.
  const length = Math.min(totalLength - headerLength, reader.remaining);
  if (reader.failed || first >> 4 !== 4 || headerLength < 20 || length < 0) return undefined;
  if (source === undefined || destination === undefined) return undefined;
  // More-fragments flag or an offset.
  return { source, destination, protocol, isFragment: (fragment & 0x3fff) !== 0, payload: reader.bytes(length) };
}

function parseIpv6(packet: Uint8Array): Ip | undefined {
  const reader = new ByteReader(packet);
  const version = reader.uint32() >>> 28;
  const payloadLength = reader.uint16();
  let protocol = reader.uint8();
  reader.uint8();
  const source = ipFromBytes(reader.bytes(16));
  const destination = ipFromBytes(reader.bytes(16));
  if (reader.failed || version !== 6 || source === undefined || destination === undefined) return undefined;
  const rest = new ByteReader(reader.bytes(Math.min(payloadLength, reader.remaining)));
  let isFragment = false;
  while (skippedHeaders.has(protocol) || protocol === HEADER_FRAGMENT) {
    const isFragmentHeader = protocol === HEADER_FRAGMENT;
    isFragment ||= isFragmentHeader;
    protocol = rest.uint8();
    const length = rest.uint8();
    rest.bytes(6 + (isFragmentHeader ? 0 : length * 8));
    if (rest.failed) return undefined;
  }
  return { source, destination, protocol, isFragment, payload: rest.bytes(rest.remaining) };
}

function parseTcp(ip: Ip): TcpSegment | undefined {
  const reader = new ByteReader(ip.payload);
  const source = { ip: ip.source, port: reader.uint16() };
  const destination = { ip: ip.destination, port: reader.uint16() };
  const sequence = reader.uint32();
  reader.uint32();
  const headerLength = (reader.uint8() >> 4) * 4;
  const bits = reader.uint8();
  reader.bytes(6 + Math.max(0, headerLength - 20));
  if (reader.failed || headerLength < 20) return undefined;
  const flags = { fin: (bits & 1) !== 0, syn: (bits & 2) !== 0, rst: (bits & 4) !== 0, ack: (bits & 16) !== 0 };
  return { kind: 'tcp', source, destination, sequence, flags, payload: reader.bytes(reader.remaining) };
}
