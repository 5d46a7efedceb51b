import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { service, socketAddress, workload } from '../../src/testing/builders.ts';
import { FakeRandom } from '../../src/testing/fake-random.ts';
import { snapshotOf } from '../../src/testing/pushes.ts';
import { chooseEndpoint } from '../../src/resolve/endpoint.ts';
import { chooseLessLoaded } from '../../src/resolve/less-loaded-choice.ts';
import { chooseWeighted } from '../../src/resolve/weighted-choice.ts';

type Item = { readonly weight: number; readonly load: number };

const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const items = fc.array(fc.record({ weight: fc.nat(3), load: fc.nat(5) }), { maxLength: 6 });
const weightOf = ({ weight }: Item): number => weight;
const loadOf = ({ load }: Item): number => load;

describe('chooseLessLoaded', () => {
  it('takes an item with a weight whenever there is one, never more loaded for its weight than the first one drawn', () => {
    fc.assert(
      fc.property(items, unit, unit, (all, one, two) => {
        const chosen = chooseLessLoaded(all, weightOf, loadOf, new FakeRandom([one, two]));
        const first = chooseWeighted(all, weightOf, new FakeRandom([one]));
        expect(chosen === undefined).to.equal(first === undefined);
        if (chosen === undefined || first === undefined) return;
        expect(chosen.weight).to.be.greaterThan(0);
        expect(chosen.load / chosen.weight).to.be.at.most(first.load / first.weight);
      }),
      { numRuns: 1_000 },
    );
  });

  it('never takes the most loaded of several of one weight, unless another has as much', () => {
    const loads = fc.uniqueArray(fc.nat(100), { minLength: 2, maxLength: 6 });
    fc.assert(
      fc.property(loads, unit, unit, (given, one, two) => {
        const all = given.map((load) => ({ weight: 1, load }));
        expect(chooseLessLoaded(all, weightOf, loadOf, new FakeRandom([one, two]))?.load).to.be.lessThan(Math.max(...given));
      }),
    );
  });

  it('keeps to the first one drawn among equals, so that weights hold where nothing is loaded', () => {
    const all = [
      { weight: 3, load: 0 },
      { weight: 1, load: 0 },
    ];
    const chosen = [0.1, 0.7, 0.8].map((drawn) => chooseLessLoaded(all, weightOf, loadOf, new FakeRandom([drawn, 0.5]))?.weight);
    expect(chosen).to.deep.equal([3, 3, 1]);
  });

  it('brings loads near to their weights, however the draws fall', () => {
    fc.assert(
      fc.property(fc.array(unit, { minLength: 400, maxLength: 400 }), (draws) => {
        const loads = [0, 0];
        const random = new FakeRandom(draws);
        for (let calls = 0; calls < 200; calls++) {
          const at = chooseLessLoaded(
            [0, 1],
            (each) => [3, 1][each] ?? 0,
            (each) => loads[each] ?? 0,
            random,
          );
          if (at !== undefined) loads[at] = (loads[at] ?? 0) + 1;
        }
        expect(loads[0]).to.be.within(148, 152);
      }),
    );
  });
});

describe('chooseEndpoint with least-request', () => {
  it('takes the less loaded of two for a service that asks for it, and for no other', () => {
    const key = service().key;
    const workloads = ['busy', 'idle'].map((name, at) =>
      workload({ name, addresses: [`10.1.0.${at}`], services: { [key]: {} } }),
    );
    const snapshot = snapshotOf({ workloads });
    const loadOf = (uid: string): number => (uid === workloads[0]?.uid ? 3 : 2);
    const chosen = (leastRequest: boolean, draw: number): string | undefined =>
      chooseEndpoint(
        snapshot,
        workload({ name: 'client' }),
        service({ endpointChoice: { leastRequest, connectAttempts: 1 } }),
        socketAddress('10.96.0.1:80'),
        'standard',
        new FakeRandom([draw]),
        { loadOf },
      )?.workload.name;
    expect([chosen(false, 0.1), chosen(false, 0.9)]).to.have.members(['busy', 'idle']);
    expect([chosen(true, 0.1), chosen(true, 0.9)]).to.deep.equal(['idle', 'idle']);
  });
});
