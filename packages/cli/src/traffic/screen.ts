/** One drawing of the live view: title, table, notes. Pure; as many lines as the window holds, and none that would wrap. */
import { wrap } from '../terminal/layout.ts';
import type { Style } from '../terminal/style.ts';

export type ScreenParts = {
  readonly title: string;
  /** Header first. */
  readonly table: readonly string[];
  /** Oldest first; each may have several lines. */
  readonly notes: readonly string[];
};

export type ScreenSize = { readonly width: number; readonly height: number; readonly style: Style };

/** Empty lines and the title around table and notes, and the line that the cursor stands on. */
const frame = 5;

/** What is left of the table when notes need the room. */
const fewestRows = 6;

/** The lines to draw. A line beyond the window could not be drawn over; older notes and lower rows make room. */
export function screenOf({ title, table, notes }: ScreenParts, { width, height, style }: ScreenSize): readonly string[] {
  const room = Math.max(fewestRows, height - frame);
  const below = newest(notes, width, Math.max(room - table.length, room - fewestRows) - 1);
  const shown = below.length === 0 ? [] : ['', ...below.map((line) => style.dim(line))];
  return ['', style.bold(title.slice(0, width)), '', ...cut(table, room - shown.length, style), ...shown, ''];
}

/** The newest notes that fit, whole; the newest one in any case. */
function newest(notes: readonly string[], width: number, limit: number): readonly string[] {
  const lines: string[] = [];
  for (const note of notes.toReversed()) {
    const wrapped = note.split('\n').flatMap((line) => wrapLine(line, width));
    if (lines.length > 0 && lines.length + wrapped.length > limit) break;
    lines.unshift(...wrapped);
  }
  return lines.slice(0, Math.max(1, limit));
}

/** Continued lines stand a little further in; a word longer than the window is cut. */
function wrapLine(line: string, width: number): readonly string[] {
  const indent = ' '.repeat(line.length - line.trimStart().length);
  return wrap(line.trimStart(), width - indent.length - 2).map((part, i) =>
    `${indent}${i === 0 ? '' : '  '}${part}`.slice(0, width),
  );
}

function cut(table: readonly string[], limit: number, style: Style): readonly string[] {
  if (table.length <= limit) return table;
  const kept = table.slice(0, Math.max(1, limit - 1));
  return [...kept, style.dim(`… and ${table.length - kept.length} more`)];
}
