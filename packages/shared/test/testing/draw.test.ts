import { expect } from 'chai';
import { describe, it } from 'mocha';
import { Draw } from '@clearmesh/shared/testing/draw';

describe('draws from a seed', () => {
  it('are the same for the same seed and run, and others for another', () => {
    const drawn = (seed: number, run: number): readonly number[] => {
      const draw = new Draw(seed, run);
      return Array.from({ length: 20 }, () => draw.unit());
    };
    expect(drawn(3, 1)).to.deep.equal(drawn(3, 1));
    expect(drawn(3, 1)).not.to.deep.equal(drawn(3, 2));
    expect(drawn(3, 1)).not.to.deep.equal(drawn(4, 1));
  });

  it('spreads evenly', () => {
    const draw = new Draw(3, 0);
    const counts = [0, 0, 0, 0];
    for (let round = 0; round < 40_000; round += 1) counts[draw.int(0, 3)]! += 1;
    for (const count of counts) expect(count).to.be.within(9_500, 10_500);
  });

  it('draws names as often as their weights say', () => {
    const draw = new Draw(3, 1);
    let often = 0;
    for (let round = 0; round < 10_000; round += 1) if (draw.weighted({ often: 3, seldom: 1, never: 0 }) === 'often') often += 1;
    expect(often).to.be.within(7_200, 7_800);
  });
});
