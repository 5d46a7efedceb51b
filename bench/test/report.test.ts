import { expect } from 'chai';
import { describe, it } from 'mocha';
import { median, summarise, table } from '../report.ts';

describe('bench report', () => {
  it('takes the median of odd and even counts and leaves out what is no number', () => {
    expect(median([3, 1, 2])).to.equal(2);
    expect(median([4, 1, 2, 3])).to.equal(2.5);
    expect(median([Number.NaN, 5])).to.equal(5);
    expect(median([])).to.be.NaN;
  });

  it('takes ratios round by round, so that a machine that slows down does not show', () => {
    const rounds = new Map([
      ['ours', [{ rate: 100 }, { rate: 10 }, { rate: 50 }]],
      ['theirs', [{ rate: 50 }, { rate: 5 }, { rate: 25 }]],
    ]);
    const theirs = summarise(rounds, 'ours').find((summary) => summary.path === 'theirs');
    expect(theirs?.ratio['rate']).to.equal(0.5);
    expect(theirs?.median['rate']).to.equal(25);
  });

  it('draws a row a figure and a column a path, and a dash where a path has no figure', () => {
    const summaries = summarise(new Map([['ours', [{ rate: 1234, cpu: Number.NaN }]]]), 'ours');
    expect(table(summaries, { rate: 'requests/s', cpu: 'CPU' }).split('\n')).to.deep.equal([
      '                     ours',
      '----------  -------------',
      'requests/s  1 234 (1.00×)',
      'CPU                     -',
    ]);
  });
});
