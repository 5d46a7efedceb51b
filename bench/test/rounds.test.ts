import { expect } from 'chai';
import { describe, it } from 'mocha';
import { inTurn } from '../rounds.ts';

describe('rounds', () => {
  it('run every path in turn, so that what is compared ran under the same conditions', async () => {
    const order: string[] = [];
    const figures = await inTurn([{ name: 'a' }, { name: 'b' }], {
      rounds: 2,
      measure: async ({ name }) => ({ run: order.push(name) }),
      onProgress: () => {},
    });
    expect(order).to.deep.equal(['a', 'b', 'a', 'b']);
    expect(figures.get('b')).to.deep.equal([{ run: 2 }, { run: 4 }]);
  });

  it('say which path of which round is under way', async () => {
    const said: string[] = [];
    const onProgress = (line: string): void => void said.push(line);
    await inTurn([{ name: 'a' }], { rounds: 1, measure: async () => ({}), onProgress });
    expect(said).to.deep.equal(['round 1 of 1: a']);
  });
});
