import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { nodeCommands } from '../src/network.ts';
import { machineNamed, machines, nodeNamed, nodes } from '../src/plan.ts';

describe('the plan of the cluster', () => {
  it('gives every machine a namespace, an address and, where pods run, pod addresses of its own', () => {
    for (const key of ['name', 'namespace', 'ip'] as const)
      expect(new Set(machines.map((machine) => machine[key]))).to.have.property('size', 3);
    expect(nodes.map(({ podCidr }) => podCidr)).to.deep.equal(['10.244.1.0/24', '10.244.2.0/24']);
  });

  it('names every namespace so that a check for leftovers finds it', () => {
    for (const { namespace } of machines) expect(namespace).to.match(/^cm-/);
  });

  it('finds machines by name, and says what there is when there is none', () => {
    expect(machineNamed('control').ip).to.equal('10.98.0.1');
    expect(nodeNamed('vault-b').podCidr).to.equal('10.244.2.0/24');
    expect(() => nodeNamed('control'))
      .to.throw(MeshError, 'no node "control"')
      .with.property('hint')
      .that.includes('vault-a, vault-b');
  });

  it('leads from each node to the pods of the other, and has a route for everything else', () => {
    expect(nodeCommands(nodeNamed('vault-a'))).to.deep.equal([
      'link set lo up',
      'link set eth0 up',
      'address add 10.98.0.11/24 dev eth0',
      'route add default via 10.98.0.1',
      'route add 10.244.2.0/24 via 10.98.0.12',
    ]);
  });
});
