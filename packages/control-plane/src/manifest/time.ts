/** Points in time as manifests write them: RFC 3339 with a zone. */

export const timeShape: RegExp = /^(\d{4}-\d{2}-\d{2})T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/;

/** Milliseconds since the epoch, or `undefined` for text that is no time, or a day that no calendar has. */
export function parseTime(text: string): number | undefined {
  const day = timeShape.exec(text)?.[1];
  if (day === undefined) return undefined;
  const midnight = Date.parse(day);
  // 31 February must not read as 3 March.
  if (Number.isNaN(midnight) || new Date(midnight).toISOString().slice(0, 10) !== day) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : at;
}
