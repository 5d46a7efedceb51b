import { expect } from 'chai';
import { describe, it } from 'mocha';
import { ip, workload } from '@clearmesh/shared/testing/builders';
import type { Snapshot } from '@clearmesh/shared/snapshot/snapshot';
import { peerWorkload } from '../../src/path/peer-workload.ts';

const known = workload({ name: 'known', addresses: ['10.0.0.1'], network: 'net-1' });
const snapshot: Pick<Snapshot, 'workloadByIp'> = {
  workloadByIp: (network, address) => (network === 'net-1' && address === '10.0.0.1' ? known : undefined),
};
const baggage =
  'k8s.cluster.name=cl-2,k8s.namespace.name=abroad,k8s.deployment.name=far,service.name=fs,service.version=v9,cloud.region=eu';

const lookUp = (address: string, headers: Parameters<typeof peerWorkload>[3]): ReturnType<typeof peerWorkload> =>
  peerWorkload(snapshot as Snapshot, 'net-1', ip(address), headers);

describe('peerWorkload', () => {
  it('is the workload of the address, whatever its baggage says', () => {
    expect(lookUp('10.0.0.1', { baggage })).to.equal(known);
  });

  it('believes the network in either case', () => {
    expect(lookUp('10.0.0.1', { baggage, xForwardedNetwork: 'NET-1' })).to.equal(known);
  });

  it('is what baggage says for a peer of another network, since addresses mean something else there', () => {
    expect(lookUp('10.0.0.1', { baggage, xForwardedNetwork: 'net-2' })).to.deep.equal({
      name: 'far',
      workloadName: 'far',
      namespace: 'abroad',
      clusterId: 'cl-2',
      canonicalName: 'fs',
      canonicalRevision: 'v9',
      locality: { region: 'eu', zone: '', subzone: '' },
    });
  });

  it('is what baggage says for an address nobody has', () => {
    expect(lookUp('10.0.0.9', { baggage })?.namespace).to.equal('abroad');
  });

  for (const headers of [{}, { baggage: '' }, { baggage: 'cloud.region=eu' }, { baggage: ';;;=,' }]) {
    it(`is unknown with ${JSON.stringify(headers)}`, () => expect(lookUp('10.0.0.9', headers)).to.equal(undefined));
  }
});
