/** The `:authority` of a CONNECT: `host:port`, always with a port (RFC 9113 section 8.5, RFC 3986 section 3.2). */
import { parseIp } from '../model/ip-address.ts';
import type { SocketAddress } from '../model/ip-address.ts';

export type Authority =
  | { readonly kind: 'ip'; readonly address: SocketAddress }
  /** Lower case. Whether anything has this name is for resolution to say. */
  | { readonly kind: 'hostname'; readonly hostname: string; readonly port: number };

const portPattern = /^\d{1,5}$/;
/** RFC 3986 reg-name, with the `@` of a user part, which thereby stays a name that nothing has. */
const namePattern = /^[\w\-.~!$&'()*+,;=%@]{1,255}$/;

/** `undefined` is answered with 400. Port 0 parses; it is refused later, as a port that cannot be dialled. */
export function parseAuthority(text: string): Authority | undefined {
  const colon = text.lastIndexOf(':');
  const portText = text.slice(colon + 1);
  const port = Number(portText);
  if (colon === -1 || !portPattern.test(portText) || port > 65_535) return undefined;
  const host = text.slice(0, colon);
  if (host.startsWith('[')) return bracketed(host, port);
  const ip = host.includes(':') ? undefined : parseIp(host);
  if (ip !== undefined) return { kind: 'ip', address: { ip, port } };
  return namePattern.test(host) ? { kind: 'hostname', hostname: host.toLowerCase(), port } : undefined;
}

function bracketed(host: string, port: number): Authority | undefined {
  const inner = host.endsWith(']') ? host.slice(1, -1) : '';
  const ip = inner.includes(':') ? parseIp(inner) : undefined;
  // An IPv4-mapped address would become IPv4 and then equal the accepted address; upstream answers it with 400.
  return ip === undefined || !ip.includes(':') ? undefined : { kind: 'ip', address: { ip, port } };
}
