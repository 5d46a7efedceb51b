/** The live table: source, destination, identity, connections, bytes, denials. */
import { naturalWidth, renderColumns } from '../terminal/columns.ts';
import type { Column } from '../terminal/columns.ts';
import { byteCount } from '../terminal/layout.ts';
import type { Style } from '../terminal/style.ts';
import type { TrafficRow } from './traffic.ts';

const source = (value: Column<TrafficRow>['value']): Column<TrafficRow> => ({
  title: 'SOURCE',
  align: 'left',
  flexible: true,
  value,
});

const others: readonly Column<TrafficRow>[] = [
  { title: 'DESTINATION', align: 'left', flexible: true, value: (row) => row.destination },
  { title: 'IDENTITY', align: 'left', flexible: true, value: (row) => row.identity ?? 'none' },
  { title: 'CONNS', align: 'right', flexible: false, value: (row) => String(row.connections) },
  { title: 'BYTES', align: 'right', flexible: false, value: (row) => byteCount(row.bytes) },
  { title: 'DENIED', align: 'right', flexible: false, value: (row) => String(row.denials) },
];

const full = [source((row) => row.source), ...others];
/** Without the namespace of the source, which its identity has as well. */
const compact = [source((row) => row.source.slice(row.source.indexOf('/') + 1)), ...others];

/** The table as lines of at most `width` characters; a pair that gets nothing but refusals stands out. */
export function renderTraffic(rows: readonly TrafficRow[], width: number, style: Style): readonly string[] {
  const columns = naturalWidth(full, rows) <= width ? full : compact;
  const [header = '', ...lines] = renderColumns(columns, rows, width);
  if (lines.length === 0) return [style.dim(header), style.dim('no connections yet')];
  return [style.dim(header), ...lines.map((line, i) => (isRefused(rows[i]) ? style.bad(line) : line))];
}

function isRefused(row: TrafficRow | undefined): boolean {
  return row !== undefined && row.denials > 0 && row.denials >= row.connections;
}
