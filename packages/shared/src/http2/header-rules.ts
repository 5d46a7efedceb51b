/**
 * Which field lists are well-formed (RFC 9113 sections 8.2 and 8.3). A malformed message is a stream error of type
 * PROTOCOL_ERROR (section 8.1.1).
 *
 * F1  Names are lower-case tokens; values have no control characters and no space around them (section 8.2.1).
 * F2  Fields of a connection have no place here (section 8.2.2).
 * F3  Pseudo-fields come first, once each, and only those of their message (section 8.3).
 * F4  CONNECT has `:authority` and neither `:scheme` nor `:path`; any other request has method, scheme and path (sections 8.3.1
 *     and 8.5).
 * F5  An answer has `:status` of three digits (section 8.3.2).
 */

const nameForm = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const valueForm = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;
/** RFC 3986 section 3.2 has no other characters; IPv6 addresses have brackets, zones a percent sign. */
const authorityForm = /^[\w.~!$&'()*+,;=:@%[\]-]*$/;
const methodForm = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const statusForm = /^[1-9][0-9][0-9]$/;

const connectionFields: ReadonlySet<string> = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
]);

/** What is wrong, or `undefined`. */
export type Malformed = string | undefined;

/** F1. Also what we send ourselves must keep this. */
export function isFieldValue(value: string): boolean {
  return valueForm.test(value);
}

/** F1 to F4. */
export function malformedRequest(fields: readonly string[]): Malformed {
  const pseudo = pseudoFields(fields, requestPseudo);
  if (typeof pseudo === 'string') return pseudo;
  const { ':method': method, ':authority': authority, ':scheme': scheme, ':path': path } = pseudo;
  if (method === undefined || !methodForm.test(method)) return 'no method';
  if (authority !== undefined && !authorityForm.test(authority)) return 'an authority that is none';
  if (method === 'CONNECT') {
    if (authority === undefined || scheme !== undefined || path !== undefined) return 'CONNECT with other than an authority';
  } else if (scheme === undefined || path === undefined || path === '') return 'no scheme or path';
  return undefined;
}

/** F1 to F3 and F5. */
export function malformedAnswer(fields: readonly string[]): Malformed {
  const pseudo = pseudoFields(fields, answerPseudo);
  if (typeof pseudo === 'string') return pseudo;
  return statusForm.test(pseudo[':status'] ?? '') ? undefined : 'no status';
}

/** Trailers have no pseudo-fields (section 8.1). */
export function malformedTrailers(fields: readonly string[]): Malformed {
  const pseudo = pseudoFields(fields, noPseudo);
  return typeof pseudo === 'string' ? pseudo : undefined;
}

const requestPseudo: ReadonlySet<string> = new Set([':method', ':authority', ':scheme', ':path']);
const answerPseudo: ReadonlySet<string> = new Set([':status']);
const noPseudo: ReadonlySet<string> = new Set();

/** F1 to F3: the pseudo-fields, or what is wrong. */
function pseudoFields(fields: readonly string[], allowed: ReadonlySet<string>): Readonly<Record<string, string>> | string {
  const found: Record<string, string> = {};
  let regular = false;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? '';
    const value = fields[i + 1] ?? '';
    if (!valueForm.test(value)) return 'a value with characters that have no place there';
    if (name.startsWith(':')) {
      if (regular || !allowed.has(name) || found[name] !== undefined) return 'a pseudo-field out of its place';
      found[name] = value;
      continue;
    }
    regular = true;
    if (!nameForm.test(name)) return 'a name that is none';
    if (connectionFields.has(name) || (name === 'te' && value !== 'trailers')) return 'a field of a connection';
  }
  return found;
}
