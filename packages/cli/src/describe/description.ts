/** What is said of one object: sections of facts and of rows. The same value is printed as text and as JSON. */
import { Block } from '../terminal/block.ts';
import { renderRows } from '../terminal/rows.ts';
import type { Row } from '../terminal/rows.ts';
import type { Style } from '../terminal/style.ts';

export type Section =
  | { readonly title: string; readonly facts: Row }
  /** Rows have the same fields. */
  | { readonly title: string; readonly rows: readonly Row[] };

export type Description = {
  readonly kind: 'Pod' | 'Service' | 'Namespace';
  readonly name: string;
  readonly origin: string;
  readonly sections: readonly Section[];
  /** What the reader should know of how this was found. */
  readonly remarks: readonly string[];
};

export function renderDescription(description: Description, width: number, style: Style): readonly string[] {
  const { kind, name, origin, sections, remarks } = description;
  const block = new Block(width, style);
  block.line(`${style.bold(`${kind} ${name}`)} ${style.dim(`(${origin})`)}`);
  for (const section of sections) {
    block.heading(section.title);
    if ('facts' in section) for (const [title, text] of Object.entries(section.facts)) block.fact(title, text);
    else if (section.rows.length === 0) block.line('  none');
    else for (const [index, line] of renderRows(section.rows).entries()) block.line(`  ${index === 0 ? style.dim(line) : line}`);
  }
  block.list('Note', remarks);
  return block.lines;
}
