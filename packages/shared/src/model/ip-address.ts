/**
 * IP addresses in one canonical text form, so that equal addresses are equal strings.
 * IPv4-mapped IPv6 (`::ffff:10.0.0.1`) is IPv4 everywhere (l4-contract section 1).
 */
import ipaddr from 'ipaddr.js';

declare const brand: unique symbol;

/** Canonical text: dotted IPv4, or RFC 5952 IPv6. Made by {@link parseIp} and {@link ipFromBytes} only. */
export type IpAddress = string & { readonly [brand]: 'IpAddress' };

/** An IP address and a TCP port (0–65535). */
export type SocketAddress = { readonly ip: IpAddress; readonly port: number };

/** A block of addresses; `bytes` keeps host bits as they were written. */
export type Cidr = { readonly bytes: Uint8Array; readonly length: number };

/** Canonical address for strict IPv4 (four decimal parts) or IPv6 text, else `undefined`. */
export function parseIp(text: string): IpAddress | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text).toString() as IpAddress;
  if (!text.includes(':') || text.includes('%') || !ipaddr.IPv6.isValid(text)) return undefined;
  return canonical(ipaddr.IPv6.parse(text));
}

/** Canonical address for 4 or 16 bytes, else `undefined`. */
export function ipFromBytes(bytes: Uint8Array): IpAddress | undefined {
  if (bytes.length !== 4 && bytes.length !== 16) return undefined;
  return canonical(ipaddr.fromByteArray([...bytes]));
}

/** 4 or 16 bytes in network order. */
export function ipToBytes(ip: IpAddress): Uint8Array {
  return Uint8Array.from(ipaddr.parse(ip).toByteArray());
}

/** 4 or 6. */
export function ipFamily(ip: IpAddress): 4 | 6 {
  return ip.includes(':') ? 6 : 4;
}

/** True for 127.0.0.0/8 and ::1. */
export function isLoopback(ip: IpAddress): boolean {
  return ipaddr.parse(ip).range() === 'loopback';
}

/** `ip:port`, IPv6 in brackets (RFC 3986 section 3.2.2). */
export function formatSocketAddress(address: SocketAddress): string {
  return ipFamily(address.ip) === 6 ? `[${address.ip}]:${address.port}` : `${address.ip}:${address.port}`;
}

/** True when `ip` is of the block's family and shares its first `length` bits. */
export function cidrContains(cidr: Cidr, ip: IpAddress): boolean {
  const bytes = ipToBytes(ip);
  if (bytes.length !== cidr.bytes.length || cidr.length > bytes.length * 8) return false;
  const whole = cidr.length >> 3;
  for (let i = 0; i < whole; i++) if (bytes[i] !== cidr.bytes[i]) return false;
  const rest = cidr.length & 7;
  if (rest === 0) return true;
  const mask = (0xff << (8 - rest)) & 0xff;
  return ((bytes[whole] ?? 0) & mask) === ((cidr.bytes[whole] ?? 0) & mask);
}

function canonical(address: ipaddr.IPv4 | ipaddr.IPv6): IpAddress {
  if (address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress()) return address.toIPv4Address().toString() as IpAddress;
  return (address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString()) as IpAddress;
}
