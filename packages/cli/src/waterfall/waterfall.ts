/** A trace as lines of text, one a span: name, bar on a common scale of time, duration, how it ended. Pure. */
import { fit } from '../terminal/layout.ts';
import type { Style } from '../terminal/style.ts';
import type { ReceivedSpan } from '../trace-receiver/span.ts';
import { waterfallRows } from './waterfall-tree.ts';
import type { ConnectionRecord, WaterfallRow } from './waterfall-tree.ts';

export type WaterfallOptions = {
  /** Characters of a line, at least 40. */
  readonly width: number;
  readonly style: Style;
  /** Only ASCII: for terminals and files that know no other characters. @default false */
  readonly ascii?: boolean;
};

type Glyphs = {
  readonly bar: string;
  readonly tick: string;
  readonly branch: string;
  readonly good: string;
  readonly bad: string;
};

const unicode: Glyphs = { bar: '█', tick: '▏', branch: '└ ', good: '✓', bad: '✗' };
const ascii: Glyphs = { bar: '#', tick: '|', branch: '- ', good: 'ok', bad: 'x' };

const gap = '  ';
const narrowest = 40;

/** The drawing; a trace without spans is one line that says so. */
export function renderWaterfall(
  spans: readonly ReceivedSpan[],
  connections: readonly ConnectionRecord[],
  { width, style, ascii: plain = false }: WaterfallOptions,
): readonly string[] {
  const rows = waterfallRows(spans, connections);
  if (rows.length === 0) return [style.dim('no spans yet')];
  const startMs = Math.min(...rows.map((row) => row.startMs));
  const endMs = Math.max(...rows.map((row) => row.startMs + row.durationMs));
  const scale = { startMs, totalMs: Math.max(endMs - startMs, Number.EPSILON) };
  const glyphs = plain ? ascii : unicode;
  const widths = widthsFor(rows, glyphs, Math.max(narrowest, width));
  return rows.map((row) => line(row, scale, widths, glyphs, style, plain));
}

type Scale = { readonly startMs: number; readonly totalMs: number };
type Widths = { readonly label: number; readonly bar: number; readonly duration: number; readonly note: number };

/** Bars get what is left, and no less than a third; names are cut for them, and notes after that. */
function widthsFor(rows: readonly WaterfallRow[], glyphs: Glyphs, width: number): Widths {
  const duration = Math.max(...rows.map((row) => preciseDuration(row.durationMs).length));
  const wantedLabel = Math.max(...rows.map((row) => labelOf(row, glyphs).length));
  const wantedNote = Math.max(...rows.map((row) => row.note.length)) + 1 + glyphs.good.length;
  const room = width - duration - gap.length * 3;
  const note = Math.min(wantedNote, Math.floor(room / 4));
  const label = Math.min(wantedLabel, Math.floor((room - note) / 2));
  return { label, bar: Math.max(1, room - note - label), duration, note };
}

function line(row: WaterfallRow, scale: Scale, widths: Widths, glyphs: Glyphs, style: Style, plain: boolean): string {
  const paint = row.failed ? style.bad : style.good;
  const cut = (text: string, length: number): string => (plain ? text.slice(0, length) : fit(text, length));
  const { before, bar, after } = barOf(row, scale, widths.bar, glyphs);
  const label = cut(labelOf(row, glyphs), widths.label).padEnd(widths.label);
  const duration = preciseDuration(row.durationMs).padStart(widths.duration);
  const mark = row.failed ? glyphs.bad : glyphs.good;
  const note = cut(row.note === '' ? mark : `${mark} ${row.note}`, widths.note);
  const name = row.depth === 0 ? style.bold(label) : label;
  return [name, `${before}${paint(bar)}${after}`, style.dim(duration), row.failed ? style.bad(note) : note].join(gap);
}

function labelOf({ depth, name, service }: WaterfallRow, glyphs: Glyphs): string {
  const indent = depth === 0 ? '' : `${'  '.repeat(depth - 1)}${glyphs.branch}`;
  return `${indent}${printable(service === '' ? name : `${service} ${name}`)}`;
}

/** Something shorter than a character is a tick at its start. */
function barOf(
  row: WaterfallRow,
  { startMs, totalMs }: Scale,
  width: number,
  glyphs: Glyphs,
): Readonly<Record<'before' | 'bar' | 'after', string>> {
  const from = Math.min(width - 1, Math.floor(((row.startMs - startMs) / totalMs) * width));
  const to = Math.round(((row.startMs + row.durationMs - startMs) / totalMs) * width);
  const isShort = (row.durationMs / totalMs) * width < 1;
  const length = isShort ? 1 : Math.min(width - from, Math.max(1, to - from));
  const bar = isShort ? glyphs.tick : glyphs.bar.repeat(length);
  return { before: ' '.repeat(from), bar, after: ' '.repeat(width - from - length) };
}

/** `0.42 ms`, `8.4 ms`, `120 ms`, `1.24 s`. */
function preciseDuration(ms: number): string {
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(2)} s`;
  return `${ms >= 100 ? ms.toFixed(0) : ms >= 1 ? ms.toFixed(1) : ms.toFixed(2)} ms`;
}

/** Names come from other programs, and a terminal obeys control characters. */
function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, '?');
}
