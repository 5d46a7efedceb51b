/** Which members of a caller's W3C baggage may go on: baggage crosses trust boundaries, and people put secrets into it. */

/** Bytes of one header (W3C Baggage section 3.3.2). */
const maxBytes = 8_192;

/** The members whose keys are allowed, as they came; `undefined` when none is left. */
export function filterBaggage(value: string | readonly string[] | undefined, allowed: ReadonlySet<string>): string | undefined {
  if (value === undefined || allowed.size === 0) return undefined;
  const kept: string[] = [];
  let bytes = 0;
  for (const member of (typeof value === 'string' ? value : value.join(',')).split(',')) {
    const equals = member.indexOf('=');
    if (equals < 0 || !allowed.has(member.slice(0, equals).trim())) continue;
    const text = member.trim();
    bytes += Buffer.byteLength(text) + 1;
    if (bytes > maxBytes) break;
    kept.push(text);
  }
  return kept.length === 0 ? undefined : kept.join(',');
}
