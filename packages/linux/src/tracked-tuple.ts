/**
 * Questions to connection tracking and its answers, as netlink messages (linux/netfilter/nfnetlink.h,
 * nfnetlink_conntrack.h). Pure. Numbers of netlink itself are in the machine's order, those of addresses in the network's.
 *
 *   nlmsghdr { length u32, type u16, flags u16, sequence u32, port u32 }
 *   nfgenmsg { family u8, version u8, resource u16 }
 *   attributes { length u16, type u16, value, padding to 4 }, nested: a tuple holds addresses and ports
 */
import { AF_INET, AF_INET6, decodeIp, encodeIp, familyOf } from './inet-address.ts';
import type { InetAddress } from './inet-address.ts';

/** A UDP packet: who sent it, and to whom. */
export type DatagramTuple = { readonly source: InetAddress; readonly destination: InetAddress };

/** What the kernel said: the tuple before translation; `unknown` when it tracks no such packet; `refused` with errno. */
export type TrackingReply =
  | { readonly kind: 'tracked'; readonly sequence: number; readonly original: DatagramTuple }
  | { readonly kind: 'unknown'; readonly sequence: number }
  | { readonly kind: 'refused'; readonly sequence: number; readonly errno: number };

const NLM_F_REQUEST = 1;
const NLMSG_ERROR = 2;
// Subsystem 1 (ctnetlink) in the upper byte.
const CT_NEW = 0x0100;
const CT_GET = 0x0101;
const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_SRC_PORT = 2;
const CTA_PROTO_DST_PORT = 3;
const IPPROTO_UDP = 17;
const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;
const ENOENT = 2;

const headerBytes = 16;
const familyBytes = 4;
const attributeBytes = 4;

/** CTA_IP_V4_SRC and so on. */
const addressTypes = { 4: { source: 1, destination: 2 }, 6: { source: 3, destination: 4 } } as const;

/** Asks for the connection whose answers look like this tuple, in the zone that has no number. */
export function trackingRequest(answer: DatagramTuple, sequence: number): Uint8Array {
  const family = familyOf(answer.source.ip);
  const body = Buffer.concat([Buffer.of(family === 4 ? AF_INET : AF_INET6, 0, 0, 0), tupleAttribute(CTA_TUPLE_REPLY, answer)]);
  const header = Buffer.alloc(headerBytes);
  header.writeUInt32LE(headerBytes + body.length, 0);
  header.writeUInt16LE(CT_GET, 4);
  header.writeUInt16LE(NLM_F_REQUEST, 6);
  header.writeUInt32LE(sequence, 8);
  return Buffer.concat([header, body]);
}

/** The first message of a packet, or `undefined` for what answers no such question. */
export function readTrackingReply(packet: Uint8Array): TrackingReply | undefined {
  const bytes = Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength);
  if (bytes.length < headerBytes + familyBytes) return undefined;
  const length = bytes.readUInt32LE(0);
  if (length < headerBytes + familyBytes || length > bytes.length) return undefined;
  const sequence = bytes.readUInt32LE(8);
  const type = bytes.readUInt16LE(4);
  if (type === NLMSG_ERROR) {
    const errno = -bytes.readInt32LE(headerBytes);
    return errno === ENOENT ? { kind: 'unknown', sequence } : { kind: 'refused', sequence, errno };
  }
  if (type !== CT_NEW) return undefined;
  const original = tupleIn(attributesOf(bytes.subarray(headerBytes + familyBytes, length)).get(CTA_TUPLE_ORIG));
  return original === undefined ? undefined : { kind: 'tracked', sequence, original };
}

function tupleAttribute(type: number, { source, destination }: DatagramTuple): Buffer {
  const types = addressTypes[familyOf(source.ip)];
  const addresses = [attribute(types.source, encodeIp(source.ip)), attribute(types.destination, encodeIp(destination.ip))];
  const ports = [
    attribute(CTA_PROTO_NUM, Buffer.of(IPPROTO_UDP)),
    attribute(CTA_PROTO_SRC_PORT, portBytes(source.port)),
    attribute(CTA_PROTO_DST_PORT, portBytes(destination.port)),
  ];
  return nested(type, [nested(CTA_TUPLE_IP, addresses), nested(CTA_TUPLE_PROTO, ports)]);
}

function tupleIn(value: Buffer | undefined): DatagramTuple | undefined {
  if (value === undefined) return undefined;
  const parts = attributesOf(value);
  const addresses = attributesOf(parts.get(CTA_TUPLE_IP) ?? Buffer.alloc(0));
  const ports = attributesOf(parts.get(CTA_TUPLE_PROTO) ?? Buffer.alloc(0));
  if (ports.get(CTA_PROTO_NUM)?.[0] !== IPPROTO_UDP) return undefined;
  const types = addressTypes[addresses.has(addressTypes[4].source) ? 4 : 6];
  const source = endpoint(addresses.get(types.source), ports.get(CTA_PROTO_SRC_PORT));
  const destination = endpoint(addresses.get(types.destination), ports.get(CTA_PROTO_DST_PORT));
  return source === undefined || destination === undefined ? undefined : { source, destination };
}

function endpoint(ip: Buffer | undefined, port: Buffer | undefined): InetAddress | undefined {
  if ((ip?.length !== 4 && ip?.length !== 16) || port?.length !== 2) return undefined;
  return { ip: decodeIp(ip), port: port.readUInt16BE(0) };
}

/** By type; what is cut or says too great a length ends the list. */
function attributesOf(bytes: Buffer): ReadonlyMap<number, Buffer> {
  const found = new Map<number, Buffer>();
  let at = 0;
  while (at + attributeBytes <= bytes.length) {
    const length = bytes.readUInt16LE(at);
    if (length < attributeBytes || at + length > bytes.length) break;
    found.set(bytes.readUInt16LE(at + 2) & NLA_TYPE_MASK, bytes.subarray(at + attributeBytes, at + length));
    at += Math.ceil(length / 4) * 4;
  }
  return found;
}

function nested(type: number, values: readonly Buffer[]): Buffer {
  return attribute(type | NLA_F_NESTED, Buffer.concat(values));
}

function attribute(type: number, value: Uint8Array): Buffer {
  const length = attributeBytes + value.length;
  const bytes = Buffer.alloc(Math.ceil(length / 4) * 4);
  bytes.writeUInt16LE(length, 0);
  bytes.writeUInt16LE(type, 2);
  bytes.set(value, attributeBytes);
  return bytes;
}

function portBytes(port: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(port);
  return bytes;
}
