/** Ports as policies write them: decimal text. */

/** The port (1–65535), or `undefined` for any other text. */
export function parsePort(text: string): number | undefined {
  if (!/^[1-9]\d{0,4}$/.test(text)) return undefined;
  const port = Number(text);
  return port <= 65_535 ? port : undefined;
}
