import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { expect } from 'chai';
import { componentOf } from '../src/component.ts';
import { toolsTree } from '../src/tools-tree.ts';

describe('the programs that go into an image', () => {
  it('are named all at once where they are missing, with the packages that bring them', async () => {
    const tools = { 'no-such-nft': 'nftables', 'no-such-iptables': 'iptables', 'no-such-iptables-save': 'iptables' };
    const error = await toolsTree({ tools }).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(MeshError).with.property('code', 'MESH-HOST-001');
    expect((error as MeshError).message).to.contain('no-such-nft, no-such-iptables, no-such-iptables-save, which belong');
    expect((error as MeshError).explain()).to.contain('apt-get install nftables iptables;');
  });

  it('are none where a component runs none', async () => {
    expect(await toolsTree(componentOf('bank'))).to.equal(undefined);
  });

  it('are those of every flavour of iptables, with ipset, for the node agent', () => {
    const { tools } = componentOf('node-agent');
    for (const flavour of ['iptables', 'iptables-nft', 'iptables-legacy'])
      for (const program of [flavour, flavour.replace('ip', 'ip6')])
        expect(Object.keys(tools)).to.include.members([program, `${program}-save`, `${program}-restore`]);
    expect(tools).to.include({ ipset: 'ipset', nft: 'nftables', nsenter: 'util-linux' });
  });
});
