/** The few text attributes the commands use, as a dependency: plain text where the stream is no terminal or NO_COLOR is set. */
import { styleText } from 'node:util';

export type Style = {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
};

const same = (text: string): string => text;

/** Leaves the text alone. */
export const plainStyle: Style = { bold: same, dim: same, good: same, bad: same };

const ansiStyle: Style = {
  bold: (text) => styleText('bold', text, { validateStream: false }),
  dim: (text) => styleText('dim', text, { validateStream: false }),
  good: (text) => styleText('green', text, { validateStream: false }),
  bad: (text) => styleText('red', text, { validateStream: false }),
};

/** Colours only for a terminal, and only without NO_COLOR (https://no-color.org: any non-empty value). */
export function styleFor(stream: { readonly isTTY?: boolean }, env: Readonly<Record<string, string | undefined>>): Style {
  return stream.isTTY === true && (env['NO_COLOR'] ?? '') === '' ? ansiStyle : plainStyle;
}
