import { expect } from 'chai';
import { describe, it } from 'mocha';
import { Draw } from '@clearmesh/shared/testing/draw';
import { faultKinds } from './fault-kinds.ts';
import { drawPlan } from './plan.ts';
import type { RunPlan } from './plan.ts';

describe('the plan of a fault run', () => {
  it('is the same for the same seed and run', () => {
    for (let run = 0; run < 50; run += 1) expect(drawPlan(7, run)).to.deep.equal(drawPlan(7, run));
  });

  it('is another one for another seed or run', () => {
    const plans = [0, 1, 2, 3].flatMap((seed) => Array.from({ length: 50 }, (_plan, run) => drawPlan(seed, run)));
    const drawn = new Set(plans.map(({ seed: _seed, run: _run, ...rest }) => JSON.stringify(rest)));
    expect(drawn.size).to.equal(plans.length);
  });

  it('holds every kind of fault within 500 runs', () => {
    const planned = new Set(Array.from({ length: 500 }, (_plan, run) => drawPlan(1, run)).flatMap(kindsOf));
    expect(faultKinds.filter((kind) => !planned.has(kind))).to.deep.equal([]);
  });

  it('keeps who deduplicates when the configuration changes in mid-flight', () => {
    for (let run = 0; run < 200; run += 1) {
      const { policy, laterPolicy } = drawPlan(1, run);
      expect(laterPolicy).to.include({ mode: policy.mode, store: policy.store, keyRequired: policy.keyRequired });
    }
  });
});

describe('a seeded draw', () => {
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

function kindsOf({ payments, tunnels, events }: RunPlan): string[] {
  return [
    ...events.map(({ kind }) => kind),
    ...tunnels.flat(),
    ...payments.flatMap(({ faults, sends, twin, changedBody }) => [
      ...faults,
      ...sends.map(({ leaving }) => leaving?.kind),
      ...(twin ? ['twin'] : []),
      ...(changedBody ? ['changed-body'] : []),
    ]),
  ].filter((kind) => kind !== undefined);
}
