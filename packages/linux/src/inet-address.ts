/** Addresses as the kernel's sockaddr bytes (L3: little-endian family, network-order port). */
import { SyscallError } from './errno.ts';
import * as libc from './libc.ts';

/** An IP address in canonical text (IPv4-mapped IPv6 as IPv4) and a port. */
export type InetAddress = { readonly ip: string; readonly port: number };

export type Family = 4 | 6;

export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCKADDR_IN_BYTES = 16;
export const SOCKADDR_IN6_BYTES = 28;

const EINVAL = 22;
const MAPPED_PREFIX = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** 4 or 6, by the form of the text. */
export function familyOf(ip: string): Family {
  return ip.includes(':') ? 6 : 4;
}

/** The 4 or 16 bytes of an address in network order; text that is no IP address is EINVAL. */
export function encodeIp(ip: string): Uint8Array {
  const isV6 = familyOf(ip) === 6;
  const bytes = Buffer.alloc(isV6 ? 16 : 4);
  if (libc.inetPton(isV6 ? AF_INET6 : AF_INET, ip, bytes) !== 1) throw new SyscallError('inet_pton', EINVAL, ip);
  return bytes;
}

/** The text of 4 or 16 bytes. */
export function decodeIp(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return buffer.length === 4 ? formatV4(buffer) : formatV6(buffer);
}

/** struct sockaddr_in or sockaddr_in6 for an address; text that is no IP address is EINVAL. */
export function encodeSockaddr(address: InetAddress): Uint8Array {
  const isV6 = familyOf(address.ip) === 6;
  const bytes = Buffer.alloc(isV6 ? SOCKADDR_IN6_BYTES : SOCKADDR_IN_BYTES);
  bytes.writeUInt16LE(isV6 ? AF_INET6 : AF_INET, 0);
  bytes.writeUInt16BE(address.port, 2);
  bytes.set(encodeIp(address.ip), isV6 ? 8 : 4);
  return bytes;
}

/** The address in a sockaddr the kernel filled in, or `undefined` for a family other than IP. */
export function decodeSockaddr(sockaddr: Uint8Array): InetAddress | undefined {
  const bytes = Buffer.from(sockaddr.buffer, sockaddr.byteOffset, sockaddr.byteLength);
  const family = bytes.length < SOCKADDR_IN_BYTES ? 0 : bytes.readUInt16LE(0);
  if (family === AF_INET) return { ip: decodeIp(bytes.subarray(4, 8)), port: bytes.readUInt16BE(2) };
  if (family !== AF_INET6 || bytes.length < SOCKADDR_IN6_BYTES) return undefined;
  return { ip: decodeIp(bytes.subarray(8, 24)), port: bytes.readUInt16BE(2) };
}

function formatV4(bytes: Uint8Array): string {
  return bytes.join('.');
}

function formatV6(bytes: Buffer): string {
  // One form per address: IPv4-mapped IPv6 is IPv4 everywhere (l4-contract section 1).
  if (MAPPED_PREFIX.every((byte, index) => bytes[index] === byte)) return formatV4(bytes.subarray(12));
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16));
  return compress(groups);
}

/** RFC 5952 section 4.2: `::` stands for the first longest run of two or more zero groups. */
function compress(groups: readonly string[]): string {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === '0') length++;
    if (length > best.length) best = { start, length };
  }
  if (best.length < 2) return groups.join(':');
  return `${groups.slice(0, best.start).join(':')}::${groups.slice(best.start + best.length).join(':')}`;
}
