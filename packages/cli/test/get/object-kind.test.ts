import { expect } from 'chai';
import { describe, it } from 'mocha';
import { findKindName } from '../../src/get/object-kind.ts';

describe('findKindName', () => {
  for (const [typed, kind] of [
    ['Gateway', 'Gateway'],
    ['gateways', 'Gateway'],
    ['opapolicies', 'OpaPolicy'],
    ['resiliencepolicy', 'ResiliencePolicy'],
    ['HTTPRoutes', 'HTTPRoute'],
    ['svc', 'Service'],
    ['se', 'ServiceEntry'],
    ['workloadentries', 'WorkloadEntry'],
    ['gatway', undefined],
    ['all', undefined],
    ['', undefined],
  ] as const) {
    it(`reads ${JSON.stringify(typed)} as ${kind ?? 'no kind'}`, () => {
      expect(findKindName(typed)).to.equal(kind);
    });
  }
});
