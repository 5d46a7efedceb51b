/** Reads the Prometheus text format (version 0.0.4), as far as a proxy's own counters need it. */

export type Sample = { readonly name: string; readonly labels: ReadonlyMap<string, string>; readonly value: number };

const line = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?$/;
const label = /\s*([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"\s*(?:,|$)/y;

/** The samples of `text`; comments and lines of another shape are left out. */
export function parseExposition(text: string): readonly Sample[] {
  const samples: Sample[] = [];
  for (const raw of text.split('\n')) {
    const match = raw.startsWith('#') ? null : line.exec(raw.trim());
    const value = Number(match?.[3]);
    if (match === null || match[1] === undefined || Number.isNaN(value)) continue;
    const labels = parseLabels(match[2] ?? '');
    if (labels !== undefined) samples.push({ name: match[1], labels, value });
  }
  return samples;
}

function parseLabels(text: string): ReadonlyMap<string, string> | undefined {
  const labels = new Map<string, string>();
  label.lastIndex = 0;
  while (label.lastIndex < text.length) {
    const match = label.exec(text);
    if (match === null) return undefined;
    labels.set(match[1] ?? '', unescape(match[2] ?? ''));
  }
  return labels;
}

function unescape(value: string): string {
  return value.replace(/\\(.)/g, (_all, char: string) => (char === 'n' ? '\n' : char));
}
