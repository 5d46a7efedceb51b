/**
 * What is reported of recorded objects, against what a real istiod wrote back (test/golden/<scenario>/status-expected.json):
 * type, status and reason of conditions. Left out, with the reason: messages, which are our own words; WorkloadEntry and
 * ServiceEntry, which are not derived yet; Gateways of other classes; policies with action CUSTOM, of which istiod says
 * nothing and we say that nobody is told; waypoint-deployment, whose status is compared in test/deploy.
 */
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { derive } from '../../src/derive/derive.ts';
import { reportStatus } from '../../src/report/report.ts';
import { collectionsOf, readGolden, scenarios, upstream } from '../golden/scenario.ts';
import type { Collections } from '../../src/manifest/collections.ts';
import type { Condition, ObjectStatus } from '../../src/report/status-report.ts';

type ExpectedStatus = { step: number; objects: Record<string, ObjectStatus> };

const withStatus = scenarios.flatMap((scenario) => {
  const expected = readGolden(scenario, 'status-expected.json') as readonly ExpectedStatus[] | undefined;
  return expected === undefined || scenario === 'waypoint-deployment' ? [] : [{ scenario, expected }];
});

describe('golden status', () => {
  it('is there for every kind that is reported', () => {
    expect(withStatus).to.have.length(11);
  });

  for (const { scenario, expected } of withStatus) {
    it(`reports what upstream writes back: ${scenario}`, () => {
      collectionsOf(scenario).forEach(({ step, collections }, index) => {
        const model = derive(collections, upstream, 0);
        const facts = { configured: { collections, model, nowMs: 0 }, refusals: new Map(), problems: [] };
        const { objects } = reportStatus(facts, upstream);
        const wanted = comparable(expected[index]?.objects ?? {}, collections);
        expect(comparable(objects, collections), `step ${step}`).to.deep.equal(wanted);
      });
    });
  }
});

function comparable(objects: Readonly<Record<string, ObjectStatus>>, collections: Collections): unknown {
  const ours = new Set(
    collections.gateways
      .filter(({ spec }) => spec.gatewayClassName === 'istio-waypoint')
      .map(({ metadata }) => `Gateway ${metadata.namespace}/${metadata.name}`),
  );
  const custom = new Set(
    collections.authorizationPolicies
      .filter(({ spec }) => spec?.action === 'CUSTOM')
      .map(({ metadata }) => `AuthorizationPolicy ${metadata.namespace}/${metadata.name}`),
  );
  return Object.fromEntries(
    Object.entries(objects)
      .filter(([key]) => /^(?:Service|HTTPRoute|AuthorizationPolicy) /.test(key) || ours.has(key))
      .filter(([key, { parents }]) => !custom.has(key) && (parents === undefined || parents.length > 0))
      .map(([key, { conditions, listeners, parents }]) => [
        key,
        {
          conditions: conditions?.map(told),
          listeners: listeners?.map(({ name, conditions: own }) => ({ name, conditions: own.map(told) })),
          parents: parents?.map(({ parentRef, conditions: own }) => ({ parentRef, conditions: own.map(told) })),
        },
      ]),
  );
}

function told({ type, status, reason }: Condition): string {
  return `${type} ${status} ${reason}`;
}
