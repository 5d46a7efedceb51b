import { expect } from 'chai';
import { describe, it } from 'mocha';
import { rejectionStatus } from '../../src/report/rejection-status.ts';
import { condition } from '../../src/report/status-report.ts';
import type { Problem } from '@clearmesh/shared/document/problem';
import type { RejectedObject } from '../../src/report/rejection-status.ts';
import type { ObjectStatus } from '../../src/report/status-report.ts';

const problem: Problem = {
  code: 'MESH-CONFIG-001',
  file: '',
  line: 0,
  column: 0,
  object: 'AuthorizationPolicy bank/p',
  field: 'spec.action',
  value: '"DENNY"',
  message: 'must be one of ALLOW, DENY',
  remedy: 'Did you mean DENY?',
};

function rejected(kind: string, facts: Partial<RejectedObject> = {}): ObjectStatus {
  return rejectionStatus({ kind, problems: [problem], status: undefined, inForce: false, parents: [], ...facts });
}

describe('rejectionStatus', () => {
  it('says field, value and remedy, and what is in force', () => {
    const message = 'spec.action must be one of ALLOW, DENY (found "DENNY"). Did you mean DENY?';
    expect(rejected('RateLimitPolicy')).to.deep.equal({
      conditions: [condition('Accepted', 'False', 'Invalid', `${message} Nothing of it is in force.`)],
    });
    expect(rejected('RateLimitPolicy', { inForce: true }).conditions?.[0]?.message).to.equal(
      `${message} The last valid version stays in force.`,
    );
  });

  it('says what holds in place of a policy that has no good version', () => {
    const effect = 'Everybody is refused in namespace bank until it is mended.';
    const { conditions } = rejected('AuthorizationPolicy', { problems: [{ ...problem, effect }] });
    const message = `spec.action must be one of ALLOW, DENY (found "DENNY"). Did you mean DENY? ${effect}`;
    expect(conditions).to.deep.equal([condition('ZtunnelAccepted', 'False', 'Invalid', message)]);
  });

  it('counts problems beyond the fifth', () => {
    const [first, ...others] = Array.from({ length: 7 }, () => problem);
    expect(rejected('OpaPolicy', { problems: [first!, ...others] }).conditions?.[0]?.message).to.contain('2 more problems.');
  });

  for (const [kind, status, type] of [
    ['Service', undefined, 'clearmesh.io/Accepted'],
    ['Service', { conditions: [condition('istio.io/WaypointBound', 'True', 'A', '')] }, 'clearmesh.io/Accepted'],
    ['AuthorizationPolicy', undefined, 'ZtunnelAccepted'],
    ['AuthorizationPolicy', { conditions: [condition('WaypointAccepted', 'True', 'A', '')] }, 'WaypointAccepted'],
    ['Gateway', { conditions: [condition('Accepted', 'True', 'A', '')] }, 'Accepted'],
    ['PeerAuthentication', undefined, 'Accepted'],
  ] as const) {
    it(`tells a ${kind} ${status === undefined ? 'that was never good' : 'with conditions'} under ${type}`, () => {
      const { conditions = [] } = rejected(kind, { status });
      expect(conditions.filter((each) => each.reason === 'Invalid').map((each) => each.type)).to.deep.equal([type]);
      expect(new Set(conditions.map((each) => each.type)).size).to.equal(conditions.length);
    });
  }

  it('tells a route under each Service that it names', () => {
    const { parents } = rejected('HTTPRoute', { parents: [{ group: '', kind: 'Service', name: 'ledger', port: 80 }] });
    expect(parents?.map(({ parentRef, conditions }) => [parentRef, conditions[0]?.reason])).to.deep.equal([
      [{ group: '', kind: 'Service', name: 'ledger', port: 80 }, 'UnsupportedValue'],
    ]);
  });
});
