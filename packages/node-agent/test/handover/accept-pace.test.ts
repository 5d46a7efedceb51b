import { expect } from 'chai';
import { describe, it } from 'mocha';
import { Pace } from '../../src/handover/accept-pace.ts';

describe('Pace', () => {
  it('lets a burst of the limit through, then one for each that leaves the window', () => {
    const pace = new Pace({ limit: 3, windowMs: 1000 });
    const waits = [0, 10, 20, 1000, 1010].map((nowMs) => pace.count(nowMs));
    expect(waits).to.deep.equal([0, 0, 980, 10, 10]);
  });

  it('asks for no wait at a slow pace', () => {
    const pace = new Pace({ limit: 2, windowMs: 100 });
    expect([0, 200, 400].map((nowMs) => pace.count(nowMs))).to.deep.equal([0, 0, 0]);
  });
});
