/**
 * What the derivation makes of recorded objects, against what a real istiod served for them: with upstream's answer to each
 * question that Clearmesh decides differently, and as Clearmesh ships, where only what is declared may differ.
 */
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { servedDeviations, shippedServedDeviations } from './deliberate.ts';
import { modelOf, scenarios, shipped, stepsOf, upstream } from './scenario.ts';
import { deviationsOf, judge, servedVerdict } from './verdict.ts';
import { checkMeaning } from '../../src/watch/check-meaning.ts';
import { titleOf } from '../../src/watch/check-contradictions.ts';
import type { Difference } from './difference.ts';
import type { MeshModel } from '../../src/derive/mesh-model.ts';

const shippedDeviations = [...servedDeviations, ...shippedServedDeviations];

describe('golden scenarios', () => {
  it('are all there, and each deviation belongs to one', () => {
    expect(scenarios).to.have.length(33);
    expect(scenarios).to.include.members([...new Set(shippedDeviations.map(({ scenario }) => scenario))]);
  });

  it('hold no object that a source refuses, but policies that would do nothing', () => {
    const rules = { requirePermissiveExpiry: false, rootNamespace: shipped.rootNamespace };
    const refused = scenarios.flatMap((scenario) =>
      stepsOf(scenario)
        .flatMap(({ manifests }) => manifests)
        .filter((manifest) => checkMeaning(manifest, rules).length > 0)
        .map((manifest) => titleOf(manifest)),
    );
    expect(refused).to.have.members(['AuthorizationPolicy pay-az-shape/audit', 'AuthorizationPolicy pay-az-shape/custom']);
  });

  for (const scenario of scenarios) {
    it(`serves what upstream serves: ${scenario}`, () => {
      expect(servedVerdict(scenario, upstream, deviationsOf(scenario, servedDeviations)).faults).to.deep.equal([]);
    });

    it(`as shipped, differs in what is declared and in nothing else: ${scenario}`, () => {
      expect(servedVerdict(scenario, shipped, deviationsOf(scenario, shippedDeviations)).faults).to.deep.equal([]);
    });

    it(`publishes each policy that a workload lists: ${scenario}`, () => {
      for (const step of stepsOf(scenario)) {
        for (const options of [upstream, shipped]) expect(unpublished(modelOf(step, options))).to.deep.equal([]);
      }
    });
  }
});

describe('the verdict on a scenario', () => {
  const found: readonly Difference[] = [{ resource: 'address a', field: 'waypoint', here: 'w' }];
  const deviation = { scenario: 's', resource: 'address a', field: 'waypoint', reason: 'on purpose' };

  it('is by design when each difference is declared', () => {
    expect(judge([{ step: 1, found }], [deviation]).kind).to.equal('by design');
  });

  it('names a difference that nobody declared', () => {
    expect(judge([{ step: 2, found }], []).faults).to.deep.equal(['step 2: address a: waypoint: upstream nothing, here "w"']);
  });

  it('names a declaration that nothing differs by', () => {
    const faults = ['declared, and does not differ: address a: waypoint'];
    expect(judge([{ step: 1, found: [] }], [deviation])).to.deep.include({ kind: 'differs', faults });
  });
});

/** A node proxy closes a workload that lists a policy which does not come. */
function unpublished({ workloads, policies }: MeshModel): readonly string[] {
  const published = new Set(policies.map(({ key }) => key));
  return workloads.flatMap(({ authorizationPolicies }) => authorizationPolicies.filter((key) => !published.has(key)));
}
