import { expect } from 'chai';
import { anything, array, assert, constantFrom, property, record } from 'fast-check';
import { describe, it } from 'mocha';
import { reporterOf } from '../../src/report/reporters.ts';
import { statusPatch } from '../../src/report/status-patch.ts';
import { condition } from '../../src/report/status-report.ts';
import type { StatusFacts, StatusPatch } from '../../src/report/status-patch.ts';
import type { Condition, ObjectStatus, ParentStatus } from '../../src/report/status-report.ts';

const now = Date.UTC(2026, 0, 1);
const before = '2025-06-01T00:00:00Z';
const at = '2026-01-01T00:00:00Z';
const bound = condition('istio.io/WaypointBound', 'True', 'WaypointAccepted', 'takes it');

function patch(kind: string, desired: ObjectStatus, actual: unknown, facts: Partial<StatusFacts> = {}): StatusPatch | undefined {
  return statusPatch(reporterOf(kind), { desired, actual, generation: 3, reported: true, nowMs: now, ...facts });
}

function known(given: Condition, lastTransitionTime = before, observedGeneration = 3): object {
  return { ...given, lastTransitionTime, observedGeneration };
}

const parent: ParentStatus = {
  parentRef: { group: '', kind: 'Service', name: 'ledger' },
  controllerName: 'clearmesh.io/mesh-controller',
  conditions: [condition('Accepted', 'True', 'Accepted', 'fine')],
};

describe('statusPatch', () => {
  it('writes what is not there', () => {
    expect(patch('Service', { conditions: [bound] }, undefined)).to.deep.equal({
      conditions: [{ ...bound, lastTransitionTime: at, observedGeneration: 3 }],
    });
  });

  it('names no generation where a kind has none', () => {
    expect(patch('Service', { conditions: [bound] }, {}, { generation: 0 })).to.deep.equal({
      conditions: [{ ...bound, lastTransitionTime: at }],
    });
  });

  it('writes nothing when the status says it already', () => {
    expect(patch('Service', { conditions: [bound] }, { conditions: [known(bound), { type: 'Theirs' }] })).to.equal(undefined);
    expect(patch('Service', {}, { conditions: [{ type: 'Theirs' }] })).to.equal(undefined);
    expect(patch('Service', {}, undefined)).to.equal(undefined);
  });

  it('keeps the time of the last transition while the status is the same', () => {
    const other = { ...bound, message: 'another word' };
    const turned = { ...bound, status: 'False' as const };
    const times = (desired: Condition): unknown => {
      const { conditions } = patch('Service', { conditions: [desired] }, { conditions: [known(bound)] }) ?? {};
      return (conditions as unknown[])[0];
    };
    expect(times(other)).to.deep.include({ lastTransitionTime: before });
    expect(times(turned)).to.deep.include({ lastTransitionTime: at });
  });

  it('says that a new generation was seen', () => {
    const told = patch('Service', { conditions: [bound] }, { conditions: [known(bound)] }, { generation: 4 });
    expect(told).to.deep.equal({ conditions: [known(bound, before, 4)] });
  });

  it('takes away what no longer holds, if it is ours', () => {
    const actual = { conditions: [known(bound), { type: 'Theirs' }] };
    expect(patch('Service', {}, actual)).to.deep.equal({ conditions: [] });
    expect(patch('Service', {}, actual, { reported: false })).to.equal(undefined);
    const policy = { conditions: [known(condition('ZtunnelAccepted', 'True', 'Accepted', 'x')), { type: 'Theirs' }] };
    expect(patch('AuthorizationPolicy', {}, policy)).to.deep.equal({ conditions: [{ type: 'Theirs' }] });
  });

  it('keeps conditions of others where a list is replaced', () => {
    const accepted = condition('ZtunnelAccepted', 'True', 'Accepted', 'x');
    const actual = { conditions: [{ type: 'Theirs', status: 'True', lastProbeTime: before }] };
    expect(patch('AuthorizationPolicy', { conditions: [accepted] }, actual)).to.deep.equal({
      conditions: [{ type: 'Theirs', status: 'True', lastProbeTime: before }, known(accepted, at)],
    });
  });

  it('takes the generation of Istio’s definitions as number or text', () => {
    const accepted = condition('ZtunnelAccepted', 'True', 'Accepted', 'x');
    const actual = { conditions: [{ ...known(accepted), observedGeneration: '3' }] };
    expect(patch('AuthorizationPolicy', { conditions: [accepted] }, actual)).to.equal(undefined);
  });

  it('keeps parents of other controllers, and takes its own away', () => {
    const theirs = { parentRef: { name: 'edge' }, controllerName: 'example.com/gateway', conditions: [{ type: 'Accepted' }] };
    const ours = { ...parent, conditions: parent.conditions.map((each) => known(each)) };
    expect(patch('HTTPRoute', { parents: [parent] }, { parents: [theirs] })).to.deep.equal({
      parents: [theirs, { ...parent, conditions: parent.conditions.map((each) => known(each, at)) }],
    });
    expect(patch('HTTPRoute', { parents: [parent] }, { parents: [ours, theirs] })).to.equal(undefined);
    expect(patch('HTTPRoute', {}, { parents: [ours, theirs] })).to.deep.equal({ parents: [theirs] });
    expect(patch('HTTPRoute', {}, { parents: [theirs] })).to.equal(undefined);
  });

  it('writes addresses and listeners of a Gateway, and leaves Gateways of others alone', () => {
    const listener = {
      name: 'mesh',
      attachedRoutes: 0,
      supportedKinds: [],
      conditions: [condition('Accepted', 'True', 'Accepted', 'fine')],
    };
    const address = { type: 'Hostname', value: 'gate.bank.svc.cluster.local' } as const;
    const desired = {
      conditions: [condition('Accepted', 'True', 'Accepted', 'ours')],
      addresses: [address],
      listeners: [listener],
    };
    const told = patch('Gateway', desired, { conditions: [{ type: 'Accepted', status: 'Unknown', reason: 'Pending' }] });
    expect(told).to.have.all.keys('conditions', 'addresses', 'listeners');
    expect(patch('Gateway', desired, told)).to.equal(undefined);
    expect(patch('Gateway', { ...desired, addresses: [] }, told)).to.have.all.keys('conditions', 'listeners');
    expect(patch('Gateway', {}, told)).to.equal(undefined);
  });

  it('writes the automatic addresses of a ServiceEntry, and takes away what it wrote itself', () => {
    const addresses = [{ host: 'fx.example', value: '240.240.0.1' }];
    const theirs = { type: 'Theirs', status: 'True' };
    const told = patch('ServiceEntry', { addresses }, { conditions: [theirs] });
    expect(told).to.deep.equal({ addresses });
    expect(patch('ServiceEntry', { addresses }, { ...told, conditions: [theirs] })).to.equal(undefined);
    expect(patch('ServiceEntry', { addresses: [] }, told)).to.deep.equal({ addresses: [] });
    expect(patch('ServiceEntry', { addresses: [] }, told, { reported: false })).to.equal(undefined);
    expect(patch('ServiceEntry', { addresses: [] }, undefined)).to.equal(undefined);
  });

  it('writes the addresses of a Gateway that runs elsewhere', () => {
    const desired = { addresses: [{ type: 'IPAddress', value: '203.0.113.99' }] } as const;
    expect(patch('Gateway', desired, {})).to.deep.equal(desired);
    expect(patch('Gateway', desired, desired)).to.equal(undefined);
  });

  it('writes nothing more once it was written, whatever stood there', () => {
    const conditions = array(
      record({
        type: constantFrom('Accepted', 'WaypointAccepted', 'ZtunnelAccepted', 'istio.io/WaypointBound'),
        status: constantFrom('True', 'False', 'Unknown'),
        reason: constantFrom('A', 'B'),
        message: constantFrom('x', 'y'),
      }),
      { maxLength: 3 },
    ).map((list) => [...new Map(list.map((each) => [each.type, each])).values()] as readonly Condition[]);
    const kinds = constantFrom('Service', 'AuthorizationPolicy', 'RateLimitPolicy', 'PeerAuthentication');
    assert(
      property(kinds, conditions, conditions, anything(), (kind, desired, actual, odd) => {
        for (const start of [{ conditions: actual.map((each) => known(each)) }, { conditions: odd }, odd]) {
          const told = patch(kind, { conditions: desired }, start);
          if (told !== undefined) expect(patch(kind, { conditions: desired }, told, { nowMs: now + 5000 })).to.equal(undefined);
        }
      }),
    );
  });
});
