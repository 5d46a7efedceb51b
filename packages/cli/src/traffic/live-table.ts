/** The live table until the signal aborts: redrawn in place on a terminal, printed anew on change elsewhere. */
import { delay } from '@clearmesh/shared/lifecycle/clock';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Console } from '../terminal/console.ts';
import { screenOf } from './screen.ts';
import { renderTraffic } from './table.ts';
import type { TrafficRow } from './traffic.ts';

export type LiveTableOptions = {
  readonly title: string;
  /** @default 1000 */
  readonly everyMs?: number;
};

export type LiveTableDeps = {
  readonly clock: Clock;
  readonly console: Console;
  readonly traffic: (signal: AbortSignal) => Promise<readonly TrafficRow[]>;
  /** What to say below the table, such as the last events. */
  readonly notes: () => readonly string[];
};

export async function showLiveTable(
  { title, everyMs = 1000 }: LiveTableOptions,
  deps: LiveTableDeps,
  signal: AbortSignal,
): Promise<void> {
  const { clock, console, traffic, notes } = deps;
  let drawn = 0;
  let printed = '';
  while (!signal.aborted) {
    const rows = await traffic(signal).catch(() => undefined);
    if (rows !== undefined && !signal.aborted) {
      const { style } = console;
      const table = renderTraffic(rows, console.width(), style);
      const lines = screenOf({ title, table, notes: notes() }, { width: console.width(), height: console.height(), style });
      const text = `${lines.join('\n')}\n`;
      if (console.interactive) console.print(`${eraseLines(drawn)}${text}`);
      else if (text !== printed) console.print(text);
      drawn = lines.length;
      printed = text;
    }
    await delay(clock, everyMs, signal).catch(() => {});
  }
}

/** ECMA-48: cursor up over what was drawn, then erase to the end of the screen. */
function eraseLines(count: number): string {
  return count === 0 ? '' : `\u001b[${count}A\u001b[0J`;
}
