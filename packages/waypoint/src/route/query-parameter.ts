/** Parameters of a query, decoded as forms encode them. */

/**
 * The first value of a parameter, or `undefined`. The first is what the Gateway API advises where there are several; a
 * service that reads the last one sees another value, so a match is no substitute for policy.
 *
 * @param name already decoded
 */
export function queryParameter(query: string, name: string): string | undefined {
  for (let at = 0; at <= query.length;) {
    const next = query.indexOf('&', at);
    const end = next === -1 ? query.length : next;
    const equals = query.indexOf('=', at);
    const nameEnd = equals === -1 || equals > end ? end : equals;
    if (nameEnd > at && decode(query.slice(at, nameEnd)) === name) return decode(query.slice(Math.min(nameEnd + 1, end), end));
    at = end + 1;
  }
  return undefined;
}

/** What is no valid encoding stays as it is. */
function decode(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text;
  if (!spaced.includes('%')) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}
