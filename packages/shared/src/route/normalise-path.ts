/**
 * The one spelling of a path that policy, routes and the service all see; pure, and applied once, before anything is
 * decided.
 *
 * P1  What is matched is what is forwarded: nothing is matched on a form that is then thrown away.
 * P2  What all servers read alike becomes one spelling (RFC 3986 section 6.2.2): `%61` is `a`, `%2b` is `%2B`.
 * P3  What servers read differently is refused: `..` however it is spelt, `//`, escaped slashes, backslashes. One of them
 *     would otherwise pass a rule for `/admin` and be served as `/admin` all the same (the Gateway API forbids them in
 *     matches, and the firewalls of common frameworks refuse them).
 * P4  Idempotent: the spelling of a spelling is itself.
 */

export type NormalisedPath =
  | {
      readonly kind: 'path';
      readonly path: string;
      /** As it came, without `?`. */
      readonly query: string;
      /** Of a target in absolute form: counts instead of the Host field (RFC 9112 section 3.2.2). */
      readonly authority?: string;
    }
  | { readonly kind: 'refused'; readonly reason: string };

/** Characters of a path; what is longer is refused. */
const maxPathLength = 8192;

/** By code below 128: may stand in a path as it is (RFC 3986 section 3.3: pchar and `/`). */
const plainInPath = table((sign) => /[\w.~!$&'()*+,;=:@/-]/.test(sign));
const unreserved = table((sign) => /[\w.~-]/.test(sign));
/** Clients send more than RFC 3986 section 3.4 allows; only what would break a head or begin a fragment is refused. */
const plainInQuery = table((sign) => sign > ' ' && sign < '\u007F' && sign !== '#');

const slash = 0x2f;
const dot = 0x2e;
const percent = 0x25;
const semicolon = 0x3b;

/** @param raw a request target in origin form or absolute form */
export function normalisePath(raw: string): NormalisedPath {
  if (raw.charCodeAt(0) !== slash) return ofAbsoluteForm(raw);
  const mark = raw.indexOf('?');
  const path = mark === -1 ? raw : raw.slice(0, mark);
  const query = mark === -1 ? '' : raw.slice(mark + 1);
  if (path.length > maxPathLength) return refused(`the path is longer than ${maxPathLength} characters`);
  for (let at = 0; at < query.length; at++)
    if (plainInQuery[query.charCodeAt(at)] !== 1) return refused(`the query has ${shown(query.charCodeAt(at))}; escape it`);
  return ofPath(path, query);
}

function ofPath(path: string, query: string): NormalisedPath {
  let spelling = '';
  let copied = 0;
  for (let at = 0; at < path.length; at++) {
    const code = path.charCodeAt(at);
    if (code === percent) {
      const escaped = Number.parseInt(path.slice(at + 1, at + 3), 16);
      if (!isHex(path.charCodeAt(at + 1)) || !isHex(path.charCodeAt(at + 2)))
        return refused('the path has a % without two hexadecimal digits');
      const reason = refusedEscape(escaped);
      if (reason !== undefined) return refused(reason);
      spelling +=
        path.slice(copied, at) +
        (unreserved[escaped] === 1 ? String.fromCharCode(escaped) : path.slice(at, at + 3).toUpperCase());
      copied = at + 3;
      at += 2;
    } else if (plainInPath[code] !== 1) return refused(`the path has ${shown(code)}; escape it`);
  }
  const whole = copied === 0 ? path : spelling + path.slice(copied);
  const reason = refusedSegment(whole);
  return reason === undefined ? { kind: 'path', path: whole, query } : refused(reason);
}

function refusedEscape(code: number): string | undefined {
  if (code < 0x20 || code === 0x7f) return 'the path has an escaped control character';
  if (code === slash || code === 0x5c) return 'the path has an escaped slash or backslash, which servers read differently';
  return undefined;
}

/** What stands before a `;` counts: servers that strip path parameters read `/..;x/` as `/../`, and `/;x/` as `//`. */
function refusedSegment(path: string): string | undefined {
  for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) {
    const first = path.charCodeAt(at + 1);
    if (first === slash || first === semicolon) return 'the path has an empty segment (//), which servers read differently';
    if (first !== dot) continue;
    const end = path.charCodeAt(at + 2) === dot ? at + 3 : at + 2;
    const next = path.charAt(end);
    if (next === '' || next === '/' || next === ';') return 'the path has a dot segment; send the path it resolves to';
  }
  return undefined;
}

/** `http://host/path`, which clients with a proxy configured send. */
const absoluteForm = /^https?:\/\/([^/?#@\\\s]+)((?:[/?][^]*)?)$/i;

function ofAbsoluteForm(raw: string): NormalisedPath {
  const [, authority, rest] = absoluteForm.exec(raw) ?? [];
  if (authority === undefined || rest === undefined) return refused('the request target is no path: it must begin with /');
  const found = normalisePath(rest.startsWith('/') ? rest : `/${rest}`);
  return found.kind === 'refused' ? found : { ...found, authority };
}

function refused(reason: string): NormalisedPath {
  return { kind: 'refused', reason };
}

function isHex(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x46) || (code >= 0x61 && code <= 0x66);
}

/** The character itself may be anything. */
function shown(code: number): string {
  return `the character U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
}

function table(holds: (sign: string) => boolean): Uint8Array {
  return Uint8Array.from({ length: 128 }, (_, code) => (holds(String.fromCharCode(code)) ? 1 : 0));
}
