/** A table as lines of text: pure, so that the live view is a function of the counters. */
import { fit } from './layout.ts';

export type Column<Row> = {
  readonly title: string;
  readonly align: 'left' | 'right';
  /** A fixed column keeps its natural width; flexible ones share what is left. */
  readonly flexible: boolean;
  readonly value: (row: Row) => string;
};

const gap = 2;
const narrowest = 8;

/** Header and one line a row, none longer than `width`. */
export function renderColumns<Row>(columns: readonly Column<Row>[], rows: readonly Row[], width: number): readonly string[] {
  const widths = shrink(columns, naturalWidths(columns, rows), width - gap * (columns.length - 1));
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, i) => place(text, widths[i] ?? 0, columns[i]?.align ?? 'left'))
      .join(' '.repeat(gap))
      .trimEnd();
  return [line(columns.map((column) => column.title)), ...rows.map((row) => line(columns.map((column) => column.value(row))))];
}

/** What the table takes when nothing is cut. */
export function naturalWidth<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): number {
  return naturalWidths(columns, rows).reduce((sum, width) => sum + width, gap * (columns.length - 1));
}

function naturalWidths<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): readonly number[] {
  return columns.map((column) => Math.max(column.title.length, ...rows.map((row) => column.value(row).length)));
}

function place(text: string, width: number, align: 'left' | 'right'): string {
  const fitted = fit(text, width);
  return align === 'left' ? fitted.padEnd(width) : fitted.padStart(width);
}

/** Takes from the widest flexible column, one character at a time, until the sum fits. */
function shrink<Row>(columns: readonly Column<Row>[], natural: readonly number[], room: number): readonly number[] {
  const widths = [...natural];
  let excess = widths.reduce((sum, width) => sum + width, 0) - room;
  while (excess > 0) {
    let widest = -1;
    for (const [i, column] of columns.entries()) {
      if (column.flexible && (widths[i] ?? 0) > narrowest && (widest < 0 || (widths[i] ?? 0) > (widths[widest] ?? 0))) widest = i;
    }
    if (widest < 0) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
    excess--;
  }
  return widths;
}
