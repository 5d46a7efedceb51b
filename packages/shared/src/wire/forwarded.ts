/** The `forwarded` header of a CONNECT (RFC 7239): the client's address, and the service it asked for. */
import { formatSocketAddress } from '../model/ip-address.ts';
import type { SocketAddress } from '../model/ip-address.ts';
import { parseAuthority } from './authority.ts';

export type Forwarded = { readonly client?: SocketAddress; readonly host?: string };

/** A `name=value` pair, its value a token or a quoted string (RFC 7239 section 4). */
const pair = /^\s*([\w!#$%&'*+.^`|~-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s";,]*))\s*(;|,|$)/;

/** What stands without quotes (RFC 7230 section 3.2.6). */
const token = /^[\w!#$%&'*+.^`|~-]+$/;

export function formatForwarded(forwarded: { readonly client: SocketAddress; readonly host?: string }): string {
  const client = `for="${formatSocketAddress(forwarded.client)}"`;
  return forwarded.host === undefined ? client : `${client};host=${valueOf(forwarded.host)}`;
}

/** A host with a `;` in it must not read as another pair. */
function valueOf(host: string): string {
  return token.test(host) ? host : `"${host.replaceAll(/["\\]/g, '\\$&')}"`;
}

/** Reads the first element; obfuscated and port-less nodes leave `client` absent, malformed text yields nothing. */
export function parseForwarded(text: string): Forwarded {
  const values = new Map<string, string>();
  for (let rest = text, more = true; more;) {
    const found = pair.exec(rest);
    if (found === null) return {};
    const [whole, name = '', quoted, token = '', end] = found;
    values.set(name.toLowerCase(), quoted?.replaceAll(/\\(.)/gs, '$1') ?? token);
    rest = rest.slice(whole.length);
    more = end === ';';
  }
  const client = parseAuthority(values.get('for') ?? '');
  const host = values.get('host');
  return {
    ...(client?.kind === 'ip' ? { client: client.address } : {}),
    ...(host === undefined || host === '' ? {} : { host }),
  };
}
