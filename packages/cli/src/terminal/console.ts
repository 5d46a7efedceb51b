/** Where a command's words go: results to standard output, progress to standard error. */
import { plainStyle, styleFor } from './style.ts';
import type { Style } from './style.ts';

/** A stream as far as printing needs it. */
export type Output = {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
};

export type Console = {
  readonly style: Style;
  /** True when lines can be drawn over. */
  readonly interactive: boolean;
  /** Columns, 40–120; asked anew for each drawing, since windows change. */
  readonly width: () => number;
  /** Lines of the window; Infinity where there is none. */
  readonly height: () => number;
  /** The result. */
  readonly print: (text: string) => void;
  /** One line of progress. */
  readonly say: (line: string) => void;
};

const narrowest = 40;
const widest = 120;
const ordinary = 80;
const ordinaryRows = 24;

export function createConsole(stdout: Output, stderr: Output, env: Readonly<Record<string, string | undefined>>): Console {
  const progress = styleFor(stderr, env);
  return {
    style: styleFor(stdout, env),
    interactive: stdout.isTTY === true,
    width: () => Math.min(widest, Math.max(narrowest, stdout.columns ?? ordinary)),
    height: () => (stdout.isTTY === true ? (stdout.rows ?? ordinaryRows) : Infinity),
    print: (text) => void stdout.write(text),
    say: (line) => void stderr.write(`${progress.dim(`  ${line}`)}\n`),
  };
}

/** As `console`, with nothing printed but what {@link Console.say} says: for machines that read standard output. */
export function withoutText(console: Console): Console {
  return { ...console, style: plainStyle, interactive: false, print: () => {} };
}
