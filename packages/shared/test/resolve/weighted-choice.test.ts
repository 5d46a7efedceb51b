import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { FakeRandom } from '../../src/testing/fake-random.ts';
import { chooseWeighted } from '../../src/resolve/weighted-choice.ts';

describe('chooseWeighted', () => {
  it('chooses an item of positive weight whenever there is one', () => {
    const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(fc.array(fc.nat(5), { maxLength: 8 }), unit, (weights, draw) => {
        const chosen = chooseWeighted(weights, (weight) => weight, new FakeRandom([draw]));
        if (weights.some((weight) => weight > 0)) expect(chosen).to.be.greaterThan(0);
        else expect(chosen).to.equal(undefined);
      }),
    );
  });

  it('gives each item the share of its weight', () => {
    const draws = Array.from({ length: 100 }, (_, at) => chooseWeighted([1, 3], (weight) => weight, new FakeRandom([at / 100])));
    expect(draws.filter((weight) => weight === 1)).to.have.length(25);
  });
});
