/** Rows of named fields as a table, as wide as they are: a name that is cut names nothing. */
import { renderColumns } from './columns.ts';
import type { Column } from './columns.ts';

export type Row = Readonly<Record<string, string>>;

/** @param fields titles and order; those of the first row, where absent */
export function renderRows(rows: readonly Row[], fields: readonly string[] = Object.keys(rows[0] ?? {})): readonly string[] {
  const columns = fields.map((field): Column<Row> => {
    return { title: field.toUpperCase(), align: 'left', flexible: false, value: (row) => row[field] || '-' };
  });
  return renderColumns(columns, rows, Infinity);
}
