import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { Backoff } from '@clearmesh/shared/lifecycle/backoff';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';

const take = (backoff: Backoff, count: number): number[] => Array.from({ length: count }, () => backoff.next());

describe('Backoff', () => {
  it('doubles up to its ceiling', () => {
    const backoff = new Backoff({ initialMs: 10, maxMs: 15_000 }, { random: new FakeRandom() });
    expect(take(backoff, 13)).to.deep.equal([10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10_240, 15_000, 15_000]);
  });

  it('begins anew after a reset', () => {
    const backoff = new Backoff({ initialMs: 10, maxMs: 100 }, { random: new FakeRandom() });
    take(backoff, 5);
    backoff.reset();
    expect(take(backoff, 2)).to.deep.equal([10, 20]);
  });

  it('spreads both ways by its jitter, which does not add up', () => {
    const backoff = new Backoff({ initialMs: 1000, maxMs: 4000, jitter: 0.2 }, { random: new FakeRandom([0, 0.5, 1]) });
    expect(take(backoff, 3)).to.deep.equal([800, 2000, 4800]);
  });

  it('stays within its jitter for any random number', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 1 }), (units) => {
        const backoff = new Backoff({ initialMs: 100, maxMs: 1000, jitter: 0.2 }, { random: new FakeRandom(units) });
        for (const delayMs of take(backoff, 8)) expect(delayMs).to.be.within(80, 1200);
      }),
    );
  });
});

describe('systemRandom', () => {
  it('gives numbers in [0, 1) and bytes as hexadecimal', () => {
    expect(systemRandom.unit()).to.be.within(0, 1);
    expect(systemRandom.hex(16)).to.match(/^[0-9a-f]{32}$/);
    expect(systemRandom.hex(16)).not.to.equal(systemRandom.hex(16));
  });

  it('gives no byte twice, however many are drawn', () => {
    const draws = Array.from({ length: 2_000 }, () => systemRandom.hex(24));
    expect(new Set(draws).size).to.equal(draws.length);
    for (const count of [0, 1, 4_095, 4_096, 5_000]) expect(systemRandom.hex(count)).to.have.length(count * 2);
  });
});
