/** Paths and queries as Go's net/url reads them, since that is what policies for OPA were written against. */

/** Unescaped as a whole, then split, leading slashes aside; `undefined` for an escape that is none. */
export function parsePathSegments(path: string): readonly string[] | undefined {
  const text = unescapeBytes(path, false);
  return text === undefined ? undefined : withoutLeadingSlashes(text).split('/');
}

/** Values by name; `undefined` where Go gives an error: a semicolon, an escape that is none. */
export function parseQuery(query: string): Readonly<Record<string, readonly string[]>> | undefined {
  // No prototype: a parameter may be called __proto__.
  const values = Object.create(null) as Record<string, string[]>;
  for (const pair of query.split('&')) {
    if (pair === '') continue;
    if (pair.includes(';')) return undefined;
    const equals = pair.indexOf('=');
    const name = unescapeBytes(equals === -1 ? pair : pair.slice(0, equals), true);
    const value = equals === -1 ? '' : unescapeBytes(pair.slice(equals + 1), true);
    if (name === undefined || value === undefined) return undefined;
    (values[name] ??= []).push(value);
  }
  return values;
}

function withoutLeadingSlashes(text: string): string {
  let start = 0;
  while (text.charAt(start) === '/') start += 1;
  return start === 0 ? text : text.slice(start);
}

/** Escapes make bytes, and bytes that are no UTF-8 become U+FFFD once they are JSON. */
function unescapeBytes(text: string, form: boolean): string | undefined {
  const spaced = form ? text.replaceAll('+', ' ') : text;
  if (!spaced.includes('%')) return spaced;
  if (/%(?![0-9A-Fa-f]{2})/.test(spaced)) return undefined;
  try {
    return decodeURIComponent(spaced);
  } catch {
    const bytes = spaced.replaceAll(/%([0-9A-Fa-f]{2})|[^%]+/g, (run, hex: string | undefined) =>
      hex === undefined ? Buffer.from(run, 'utf8').toString('latin1') : String.fromCharCode(Number.parseInt(hex, 16)),
    );
    return Buffer.from(bytes, 'latin1').toString('utf8');
  }
}
