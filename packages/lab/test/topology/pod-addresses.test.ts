import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { expect } from 'chai';
import { beforeEach, describe, it } from 'mocha';
import { planLab } from '../../src/topology/plan.ts';
import { PodAddresses } from '../../src/topology/pod-addresses.ts';

describe('PodAddresses', () => {
  let addresses: PodAddresses;
  beforeEach(() => {
    addresses = new PodAddresses(planLab({ id: 'x', nodes: ['node-a'] }).nodes[0]!);
  });

  it('gives the lowest free address, and a released one again', () => {
    expect([addresses.take(), addresses.take(), addresses.take()]).to.deep.equal(['10.244.1.2', '10.244.1.3', '10.244.1.4']);
    addresses.release('10.244.1.3');
    expect(addresses.take()).to.equal('10.244.1.3');
    expect(addresses.take()).to.equal('10.244.1.5');
  });

  it('gives the address asked for, and leaves it out afterwards', () => {
    expect(addresses.take('10.244.1.2')).to.equal('10.244.1.2');
    expect(addresses.take()).to.equal('10.244.1.3');
  });

  it('refuses when all 253 are taken', () => {
    for (let count = 0; count < 253; count++) addresses.take();
    expect(() => addresses.take())
      .to.throw(MeshError, 'no pod address left')
      .with.property('code', 'MESH-CONFIG-003');
  });

  for (const ip of [
    '10.244.2.2',
    '10.244.1.1',
    '10.244.1.255',
    '10.244.1.0',
    '10.244.1.02',
    '10.244.1.300',
    'fd00::1',
    '',
    'x',
  ]) {
    it(`refuses ${ip === '' ? 'an empty text' : ip}`, () => {
      expect(() => addresses.take(ip)).to.throw(MeshError, 'does not belong to the node');
    });
  }

  it('refuses an address in use', () => {
    addresses.take('10.244.1.9');
    expect(() => addresses.take('10.244.1.9')).to.throw(MeshError, 'is in use');
  });
});
