import { expect } from 'chai';
import { describe, it } from 'mocha';
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

describe('a seeded draw', () => {});

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
