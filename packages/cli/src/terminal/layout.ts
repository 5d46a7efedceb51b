/** Fitting text into columns; every function counts characters of unstyled text. */

/** Lines of at most `width` characters, broken at spaces; a longer word stands alone. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

/** The text, cut with `…` when it is longer than `width`; of `namespace/name` the namespace is cut first. */
export function fit(text: string, width: number): string {
  if (text.length <= width) return text;
  const slash = text.indexOf('/');
  const tail = slash < 0 ? '' : text.slice(slash);
  const room = width - tail.length - 1;
  if (slash > 0 && room > 0) return `${text.slice(0, room)}…${tail}`;
  return `${text.slice(0, Math.max(0, width - 1))}…`;
}

/** Milliseconds for people: `84 ms`, `1.2 s`. */
export function duration(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** Bytes for people, in powers of 1024: `512 B`, `1.5 KiB`, `3.2 GiB`. */
export function byteCount(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit === 0 ? `${value} B` : `${value.toFixed(1)} ${units[unit]}`;
}
