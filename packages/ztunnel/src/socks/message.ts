/**
 * What a SOCKS5 client says until it is known where to (RFC 1928), as far as this proxy speaks it: no authentication, and CONNECT
 * to an IPv4 address, an IPv6 address or a name. Pure: bytes → reading, answers → bytes.
 *
 *   client ── version, methods ──▶        section 3
 *          ◀── version, method ──
 *          ── version, command, address ──▶   section 4
 *          ◀── version, reply, bound address ──   section 6
 *
 * M1  Any bytes give a reading, and none of 519 bytes or more is incomplete: a greeting with 255 methods, and a request with a name
 *     of 255 bytes.
 * M2  The reading of a beginning never contradicts that of the whole: what comes in pieces is read as if it came at once.
 */
import { ipFromBytes, parseIp } from '@clearmesh/shared/model/ip-address';
import type { IpAddress } from '@clearmesh/shared/model/ip-address';

/** Where a client wants to go. */
export type SocksTarget = { readonly host: IpAddress | SocksName; readonly port: number };
/** Lower case, without the final dot. */
export type SocksName = { readonly name: string };

export type SocksReading =
  /** `greeted`: the client waits for the answer to its greeting. */
  | { readonly kind: 'incomplete'; readonly greeted: boolean }
  /** `length`: bytes up to here; what comes behind belongs to the connection. */
  | { readonly kind: 'asked'; readonly target: SocksTarget; readonly length: number }
  /** `answer` is owed before the end; absent: to who does not speak SOCKS5 nothing is said. */
  | { readonly kind: 'refused'; readonly reason: string; readonly greeted: boolean; readonly answer?: Uint8Array };

/** Section 6. */
export type SocksReply = keyof typeof replyCodes;
const replyCodes = {
  succeeded: 0,
  'general failure': 1,
  'not allowed': 2,
  'host unreachable': 4,
  'connection refused': 5,
  'command not supported': 7,
  'address type not supported': 8,
} as const;

const version = 5;
const noAuthentication = 0;
const noAcceptableMethod = 0xff;
const connectCommand = 1;

/** The answer to a greeting that offers to go without authentication. */
export const greetingAnswer: Uint8Array = Uint8Array.of(version, noAuthentication);

/** What has been received so far, from its first byte on. */
export function readSocks(bytes: Uint8Array): SocksReading {
  const [spoken, methods] = bytes;
  if (spoken !== undefined && spoken !== version)
    return { kind: 'refused', reason: `version ${spoken} instead of 5`, greeted: false };
  if (methods === undefined || bytes.length < 2 + methods) return { kind: 'incomplete', greeted: false };
  if (!bytes.subarray(2, 2 + methods).includes(noAuthentication)) {
    const answer = Uint8Array.of(version, noAcceptableMethod);
    return { kind: 'refused', reason: 'it does not offer to go without authentication', greeted: false, answer };
  }
  return readRequest(bytes, 2 + methods);
}

/** Of the bound address nothing is told: it would be one of the proxy's. */
export function socksReply(reply: SocksReply): Uint8Array {
  return Uint8Array.of(version, replyCodes[reply], 0, addressType.ipv4, 0, 0, 0, 0, 0, 0);
}

const addressType = { ipv4: 1, name: 3, ipv6: 4 } as const;

/** From `start`: version, command, 0, type of address, address, port. */
function readRequest(bytes: Uint8Array, start: number): SocksReading {
  const [spoken, command, reserved, type, first] = bytes.subarray(start);
  const incomplete: SocksReading = { kind: 'incomplete', greeted: true };
  if (spoken !== undefined && spoken !== version)
    return refused(`version ${spoken} instead of 5 in the request`, 'general failure');
  if (command !== undefined && command !== connectCommand)
    return refused(`command ${command} instead of CONNECT`, 'command not supported');
  if (reserved !== undefined && reserved !== 0) return refused(`${reserved} where 0 is reserved`, 'general failure');
  if (type === undefined) return incomplete;
  const size = sizeOf(type, first);
  if (size === 'unknown') return refused(`address type ${type}`, 'address type not supported');
  const addressAt = start + 4 + (type === addressType.name ? 1 : 0);
  if (size === undefined || bytes.length < addressAt + size + 2) return incomplete;
  const address = bytes.subarray(addressAt, addressAt + size);
  const host = type === addressType.name ? readName(address) : ipFromBytes(address);
  const length = addressAt + size + 2;
  const port = ((bytes[length - 2] ?? 0) << 8) | (bytes[length - 1] ?? 0);
  if (host === undefined) return refused('no hostname where one should be', 'general failure');
  return port === 0 ? refused('port 0', 'general failure') : { kind: 'asked', target: { host, port }, length };
}

/** Bytes of an address; `undefined` while its length is not there yet. */
function sizeOf(type: number, first: number | undefined): number | 'unknown' | undefined {
  if (type === addressType.ipv4) return 4;
  if (type === addressType.ipv6) return 16;
  return type === addressType.name ? first : 'unknown';
}

/** Some clients send an address as if it were a name. */
function readName(bytes: Uint8Array): IpAddress | SocksName | undefined {
  const text = Buffer.from(bytes).toString('latin1').toLowerCase();
  const ip = parseIp(text);
  if (ip !== undefined) return ip;
  const name = text.replace(/\.$/, '');
  return /^[a-z\d_-]+(?:\.[a-z\d_-]+)*$/.test(name) ? { name } : undefined;
}

function refused(reason: string, reply: SocksReply): SocksReading {
  return { kind: 'refused', reason, greeted: true, answer: socksReply(reply) };
}
