/**
 * What is reported of recorded objects, against what a real istiod wrote back: type, status and reason of conditions, and
 * addresses.
 */
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { shippedStatusDeviations, statusDeviations } from './deliberate.ts';
import { scenariosWithStatus, shipped, upstream } from './scenario.ts';
import { deviationsOf, statusVerdict } from './verdict.ts';

/** Differ, and are not declared. */
const notYet: ReadonlySet<string> = new Set([
  'authz-scope',
  'http-route-status',
  'ingress-use-waypoint',
  'service-entry-auto-vip',
  'service-entry-none',
  'waypoint-by-address',
  'waypoint-deployment',
  'waypoint-for',
  'waypoint-namespace',
  'waypoint-service',
  'authz-shape',
]);
describe('golden status', () => {
  for (const scenario of scenariosWithStatus.filter((each) => !notYet.has(each))) {
    it(`reports what upstream writes back: ${scenario}`, () => {
      const verdict = statusVerdict(scenario, upstream, deviationsOf(scenario, statusDeviations));
      expect(verdict.faults).to.deep.equal([]);
    });

    it(`as shipped, differs in what is declared and in nothing else: ${scenario}`, () => {
      const declared = deviationsOf(scenario, [...statusDeviations, ...shippedStatusDeviations]);
      expect(statusVerdict(scenario, shipped, declared).faults).to.deep.equal([]);
    });
  }
});
