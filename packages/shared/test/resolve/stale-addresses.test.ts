import { expect } from 'chai';
import { describe, it } from 'mocha';
import { ip, workload } from '../../src/testing/builders.ts';
import type { WorkloadSpec } from '../../src/testing/builders.ts';
import type { Workload } from '../../src/model/workload.ts';
import { staleAddresses } from '../../src/resolve/stale-addresses.ts';

const before = workload({ name: 'a', addresses: ['10.0.0.1', '10.0.0.2'] });

function stale(change: 'removed' | 'replaced', now: readonly Workload[], gone: Workload = before): readonly string[] {
  const snapshot = {
    workloadByIp: (_network: string, ip: string) => now.find(({ addresses }) => addresses.some((each) => each === ip)),
  };
  const changed = {
    workloadsRemoved: change === 'removed' ? [gone] : [],
    workloadsReplaced: change === 'replaced' ? [gone] : [],
  };
  return staleAddresses(snapshot, changed, '');
}

describe('staleAddresses', () => {
  it('are all addresses of a removed workload', () => {
    expect(stale('removed', [])).to.deep.equal(['10.0.0.1', '10.0.0.2']);
  });

  it('are those a replaced workload gave up', () => {
    expect(stale('replaced', [workload({ name: 'a', addresses: ['10.0.0.2'] })])).to.deep.equal(['10.0.0.1']);
  });

  const changed: readonly [string, WorkloadSpec][] = [
    ['another workload', { name: 'b' }],
    ['another account', { serviceAccount: 'other' }],
    ['another trust domain', { trustDomain: 'other.td' }],
  ];
  for (const [title, spec] of changed) {
    it(`are those that now mean ${title}`, () => {
      const now = workload({ name: 'a', addresses: ['10.0.0.1', '10.0.0.2'], ...spec });
      expect(stale('replaced', [now])).to.deep.equal(['10.0.0.1', '10.0.0.2']);
    });
  }

  it('are none when only health, labels, weight or protocol changed: a pod that leaves the mesh ends its tunnels itself', () => {
    const now = workload({
      name: 'a',
      addresses: ['10.0.0.1', '10.0.0.2'],
      status: 'UNHEALTHY',
      canonicalRevision: 'v2',
      capacity: 3,
      tunnelProtocol: 'NONE',
    });
    expect(stale('replaced', [now])).to.deep.equal([]);
  });

  describe('of another network', () => {
    const far = { ...before, network: 'west' };
    const networkGateway = { kind: 'address', address: { network: 'west', ip: ip('1.2.3.4') }, hboneMtlsPort: 15008 } as const;

    it('are none behind its gateway: here they may be another’s', () => {
      expect(stale('removed', [], { ...far, networkGateway })).to.deep.equal([]);
    });

    it('are a gateway’s own', () => {
      expect(stale('removed', [], far)).to.deep.equal(['10.0.0.1', '10.0.0.2']);
    });
  });
});
