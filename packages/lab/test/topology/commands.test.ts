import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import * as commands from '../../src/topology/commands.ts';
import { planLab } from '../../src/topology/plan.ts';

const plan = planLab({ id: 'x', nodes: ['node-a', 'node-b'] });
const [nodeA] = plan.nodes;

describe('ip commands', () => {
  it('make the namespaces first', () => {
    expect(commands.namespaceCommands(plan)).to.deep.equal([
      'netns add cm-x-control',
      'netns add cm-x-node-a',
      'netns add cm-x-node-b',
    ]);
  });

  it('make each link inside its two namespaces', () => {
    expect(commands.linkCommands(plan)[0]).to.equal(
      'link add link-2 netns cm-x-node-a type veth peer name link-1 netns cm-x-node-b',
    );
  });

  it('route a node to its peers, their pods and the control plane, from its one address', () => {
    expect(commands.nodeCommands(plan, nodeA!)).to.deep.equal([
      'link set lo up',
      'address add 10.97.0.1/32 dev lo',
      'address add 169.254.1.1/32 dev lo scope link',
      'link set ctl up',
      'route add 10.97.1.1/32 dev ctl scope link src 10.97.0.1',
      'link set link-2 up',
      'route add 10.97.0.2/32 dev link-2 scope link src 10.97.0.1',
      'route add 10.244.2.0/24 via 10.97.0.2 dev link-2 onlink src 10.97.0.1',
    ]);
  });

  it('route the control namespace to nodes and pods', () => {
    expect(commands.controlCommands(plan)).to.include.members([
      'route add 10.97.0.2/32 dev node-2 scope link src 10.97.1.1',
      'route add 10.244.2.0/24 via 10.97.0.2 dev node-2 onlink src 10.97.1.1',
    ]);
  });

  it('give a pod one address and the link-local gateway', () => {
    expect(commands.podLinkCommand(nodeA!, { namespace: 'cm-x-bank.ledger', ip: '10.244.1.2' })).to.equal(
      'link add veth0af40102 netns cm-x-node-a type veth peer name eth0 netns cm-x-bank.ledger',
    );
    expect(commands.podCommands('10.244.1.2')).to.deep.equal([
      'link set lo up',
      'link set eth0 up',
      'address add 10.244.1.2/32 dev eth0',
      'route add 169.254.1.1/32 dev eth0 scope link',
      'route add default via 169.254.1.1 dev eth0 src 10.244.1.2',
    ]);
    expect(commands.podRouteCommands(nodeA!, '10.244.1.2')).to.deep.equal([
      'link set veth0af40102 up',
      'route add 10.244.1.2/32 dev veth0af40102 scope link src 10.97.0.1',
    ]);
  });

  it('give no two pods the same device', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.ipV4(), { minLength: 2, maxLength: 20 }), (ips) => {
        const devices = ips.map((ip) => commands.podLinkDevice(ip));
        expect(new Set(devices).size).to.equal(ips.length);
        for (const device of devices) expect(device.length).to.be.at.most(15);
      }),
    );
  });
});
