/** Figures as text: the first column begins at the left, all others end at the right. */

/** A line a row, the columns two spaces apart. */
export function textTable(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = columnWidths(rows);
  const cell = (text: string, column: number): string =>
    column === 0 ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0);
  return rows.map((row) => row.map(cell).join('  ').trimEnd());
}

/** Of the first row's columns. */
export function columnWidths(rows: readonly (readonly string[])[]): readonly number[] {
  return (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
}
