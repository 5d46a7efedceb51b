import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { isRunning, parseProcStat, stampOf } from '../../src/process/proc-stat.ts';

function line(name: string, state = 'S', start: number | string = 4711): string {
  return `42 (${name}) ${state} ${Array.from({ length: 18 }, (_, index) => index).join(' ')} ${start} 1000 200\n`;
}

describe('parseProcStat', () => {
  for (const name of ['node', 'a b', 'a) R 1 2', '((', '']) {
    it(`finds state and start time behind the name ${JSON.stringify(name)}`, () => {
      expect(parseProcStat(line(name))).to.deep.equal({ state: 'S', startTicks: 4711 });
    });
  }

  for (const text of ['', '42', '42 (node)', '42 (node) S 1 2', line('node', 'S', 'x'), line('node', 'S', -1)]) {
    it(`gives nothing for ${JSON.stringify(text.slice(0, 20))}`, () => {
      expect(parseProcStat(text)).to.equal(undefined);
    });
  }

  it('never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseProcStat(text)));
  });
});

describe('a process stamp', () => {
  it('is that of this very process', () => {
    const stamp = stampOf(process.pid)!;
    expect(isRunning(stamp)).to.equal(true);
    expect(isRunning({ ...stamp, startTicks: stamp.startTicks + 1 })).to.equal(false);
  });

  it('does not exist for a number without a process', () => {
    expect(stampOf(2 ** 30)).to.equal(undefined);
  });
});
