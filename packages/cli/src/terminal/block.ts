/** A report as lines: headings, facts with a title on the left, lists. Nothing is cut, since reports hold remedies. */
import { wrap } from './layout.ts';
import type { Style } from './style.ts';

const titleWidth = 16;

export class Block {
  readonly #width: number;
  readonly style: Style;
  readonly lines: string[] = [];

  constructor(width: number, style: Style) {
    this.#width = width;
    this.style = style;
  }

  line(text: string): void {
    this.lines.push(text);
  }

  text(text: string, indent: string): void {
    for (const line of wrap(text, this.#width - indent.length)) this.lines.push(`${indent}${line}`);
  }

  heading(text: string): void {
    this.lines.push('', this.style.bold(text));
  }

  /** `  title      text`, going on below the text. */
  fact(title: string, text: string): void {
    const [first = '', ...rest] = wrap(text, this.#width - titleWidth);
    this.lines.push(
      `${this.style.dim(`  ${title}`.padEnd(titleWidth))}${first}`,
      ...rest.map((line) => `${' '.repeat(titleWidth)}${line}`),
    );
  }

  list(title: string, items: readonly string[]): void {
    if (items.length === 0) return;
    this.heading(title);
    for (const item of items) {
      const [first = '', ...rest] = wrap(item, this.#width - 4);
      this.lines.push(`  → ${first}`, ...rest.map((line) => `    ${line}`));
    }
  }
}
