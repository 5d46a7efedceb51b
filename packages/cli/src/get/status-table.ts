/** The table of `clearmesh get`. */
import { renderColumns } from '../terminal/columns.ts';
import type { Column } from '../terminal/columns.ts';
import { wrap } from '../terminal/layout.ts';
import type { Style } from '../terminal/style.ts';
import type { StatusRow } from './status-rows.ts';

const columns: readonly Column<StatusRow>[] = [
  { title: 'KIND', align: 'left', flexible: false, value: ({ kind }) => kind },
  { title: 'NAMESPACE', align: 'left', flexible: false, value: ({ namespace }) => dash(namespace) },
  { title: 'NAME', align: 'left', flexible: false, value: ({ name }) => name },
  { title: 'CONDITION', align: 'left', flexible: false, value: ({ condition }) => dash(condition) },
  { title: 'STATUS', align: 'left', flexible: false, value: ({ status }) => dash(status) },
  { title: 'REASON', align: 'left', flexible: false, value: ({ reason }) => dash(reason) },
];

/** Characters of a message beside the table, at least; where there is less room it stands below its row. */
const narrowestMessage = 40;
const below = '    ';

/** What is not true stands out. Messages are never cut: they hold the remedy. */
export function renderStatus(rows: readonly StatusRow[], width: number, style: Style): readonly string[] {
  const [header = '', ...lines] = renderColumns(columns, rows, Infinity);
  const indent = Math.max(header.length, ...lines.map(({ length }) => length)) + 2;
  const room = width - indent;
  const beside = room >= narrowestMessage;
  const title = beside ? `${header.padEnd(indent)}MESSAGE` : header;
  return [
    style.dim(title),
    ...lines.flatMap((line, i) => {
      const row = rows[i];
      const texts = row === undefined || row.message === '' ? [] : wrap(row.message, beside ? room : width - below.length);
      const [first = '', ...rest] = beside ? texts : [];
      const head = beside ? `${line.padEnd(indent)}${first}`.trimEnd() : line;
      const tail = beside ? rest.map((text) => `${' '.repeat(indent)}${text}`) : texts.map((text) => `${below}${text}`);
      return [row?.status === 'False' ? style.bad(head) : head, ...tail.map((text) => style.dim(text))];
    }),
  ];
}

function dash(text: string): string {
  return text === '' ? '-' : text;
}
