import { expect } from 'chai';
import { describe, it } from 'mocha';
import { identity, workload } from '@clearmesh/shared/testing/builders';
import type { WorkloadSpec } from '@clearmesh/shared/testing/builders';
import { LocalIdentities } from '../../src/capture/local-identities.ts';

function bed(): {
  readonly calls: string[];
  change(specs: readonly WorkloadSpec[]): void;
  remove(specs: readonly WorkloadSpec[]): void;
} {
  const calls: string[] = [];
  const identities = new LocalIdentities(
    { node: 'node-a' },
    { want: (id) => calls.push(`want ${id}`), forget: (id) => calls.push(`forget ${id}`) },
  );
  return {
    calls,
    change: (specs) => identities.recvChange({ workloadsChanged: specs.map(workload), workloadsRemoved: [] }),
    remove: (specs) => identities.recvChange({ workloadsChanged: [], workloadsRemoved: specs.map(workload) }),
  };
}

const payer: WorkloadSpec = { name: 'a', serviceAccount: 'payer' };
const id = identity('bank', 'payer');

describe('LocalIdentities', () => {
  it('wants the identity of a local HBONE workload once, and forgets it with the last', () => {
    const { calls, change, remove } = bed();
    change([payer, { ...payer, name: 'b' }]);
    change([{ ...payer, capacity: 2 }]);
    remove([payer]);
    expect(calls).to.deep.equal([`want ${id}`]);
    remove([{ ...payer, name: 'b' }]);
    expect(calls).to.deep.equal([`want ${id}`, `forget ${id}`]);
  });

  const unwanted: readonly [string, WorkloadSpec][] = [
    ['of another node', { ...payer, node: 'node-b' }],
    ['that speaks no HBONE', { ...payer, tunnelProtocol: 'NONE' }],
    ['that ends HBONE itself', { ...payer, nativeTunnel: true }],
  ];
  for (const [title, spec] of unwanted) {
    it(`leaves a workload ${title} alone`, () => {
      const { calls, change, remove } = bed();
      change([spec]);
      remove([spec]);
      expect(calls).to.deep.equal([]);
    });
  }

  it('wants the new account of a workload before it forgets the old one', () => {
    const { calls, change } = bed();
    change([payer]);
    change([{ ...payer, serviceAccount: 'ledger' }]);
    expect(calls.slice(1)).to.deep.equal([`want ${identity('bank', 'ledger')}`, `forget ${id}`]);
  });

  it('forgets a workload that moved to another node', () => {
    const { calls, change } = bed();
    change([payer]);
    change([{ ...payer, node: 'node-b' }]);
    expect(calls).to.deep.equal([`want ${id}`, `forget ${id}`]);
  });
});
