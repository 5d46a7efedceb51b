/**
 * What is reported of recorded objects, against what a real istiod wrote back: type, status and reason of conditions, and
 * addresses.
 */
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { statusDeviations } from './deliberate.ts';
import { scenariosWithStatus, shipped, upstream } from './scenario.ts';
import { deviationsOf, statusVerdict } from './verdict.ts';

describe('golden status', () => {
  it('is recorded for each kind that is reported', () => {
    expect(scenariosWithStatus).to.have.length(14);
  });

  for (const scenario of scenariosWithStatus) {
    const declared = deviationsOf(scenario, statusDeviations);

    it(`reports what upstream writes back: ${scenario}`, () => {
      expect(statusVerdict(scenario, upstream, declared).faults).to.deep.equal([]);
    });

    it(`reports the same as shipped: ${scenario}`, () => {
      expect(statusVerdict(scenario, shipped, declared).faults).to.deep.equal([]);
    });
  }
});
