import { expect } from 'chai';
import { describe, it } from 'mocha';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { plainStyle } from '../../src/terminal/style.ts';
import { showLiveTable } from '../../src/traffic/live-table.ts';
import type { TrafficRow } from '../../src/traffic/traffic.ts';

const row = (connections: number): TrafficRow => ({
  source: 'a/b',
  destination: 'c/d',
  identity: undefined,
  connections,
  bytes: 0,
  denials: 0,
});
const escape = String.fromCharCode(27);

/** Shows one table for each element of `readings`, then stops; gives what was printed. */
async function show(
  interactive: boolean,
  readings: readonly (readonly TrafficRow[] | Error)[],
  notes: readonly string[] = [],
): Promise<readonly string[]> {
  const clock = new FakeClock();
  const stop = new AbortController();
  const printed: string[] = [];
  let next = 0;
  const traffic = (): Promise<readonly TrafficRow[]> => {
    const reading = readings[next++];
    if (next === readings.length) stop.abort();
    // The next drawing is due once this one was made.
    setImmediate(() => clock.advance(1000));
    return reading instanceof Error ? Promise.reject(reading) : Promise.resolve(reading ?? []);
  };
  const console = {
    style: plainStyle,
    interactive,
    width: () => 60,
    height: () => 24,
    print: (text: string) => void printed.push(text),
    say: () => {},
  };
  await showLiveTable({ title: 'Live' }, { clock, console, traffic, notes: () => notes }, stop.signal);
  return printed;
}

describe('showLiveTable', () => {
  it('draws over what it drew on a terminal', async () => {
    const [first, second] = await show(true, [[row(1)], [row(2)], []]);
    expect(first!.startsWith('\nLive\n')).to.equal(true);
    const lines = first!.split('\n').length - 1;
    expect(second!.startsWith(`${escape}[${lines}A${escape}[0J\nLive\n`)).to.equal(true);
  });

  it('prints only changes elsewhere, without an escape', async () => {
    const printed = await show(false, [[row(1)], [row(1)], [row(2)], []]);
    expect(printed.length).to.equal(2);
    expect(printed.join('')).not.to.include(escape);
  });

  it('goes on when the counters cannot be read for once', async () => {
    expect((await show(false, [new Error('proxy restarts'), [row(1)], []])).length).to.equal(1);
  });

  it('cuts notes to the width: a line that wraps would be drawn over badly', async () => {
    const [printed] = await show(true, [[row(1)], []], ['x'.repeat(100)]);
    for (const line of printed!.split('\n')) expect(line.length).to.be.at.most(60);
  });
});
