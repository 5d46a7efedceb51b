import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { planLab } from '../../src/topology/plan.ts';

const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?$/).filter((name) => name !== 'control');

describe('planLab', () => {
  it('gives two nodes an address, a pod CIDR and a namespace each, and one link between them', () => {
    const plan = planLab({ id: 'x1', nodes: ['node-a', 'node-b'] });
    expect(plan.nodes).to.deep.equal([
      { name: 'node-a', number: 1, namespace: 'cm-x1-node-a', ip: '10.97.0.1', podPrefix: '10.244.1', podCidr: '10.244.1.0/24' },
      { name: 'node-b', number: 2, namespace: 'cm-x1-node-b', ip: '10.97.0.2', podPrefix: '10.244.2', podCidr: '10.244.2.0/24' },
    ]);
    expect(plan.control).to.deep.equal({ namespace: 'cm-x1-control', ip: '10.97.1.1' });
    expect(plan.links).to.deep.equal([
      [
        { namespace: 'cm-x1-node-a', device: 'link-2' },
        { namespace: 'cm-x1-node-b', device: 'link-1' },
      ],
      [
        { namespace: 'cm-x1-control', device: 'node-1' },
        { namespace: 'cm-x1-node-a', device: 'ctl' },
      ],
      [
        { namespace: 'cm-x1-control', device: 'node-2' },
        { namespace: 'cm-x1-node-b', device: 'ctl' },
      ],
    ]);
  });

  it('joins every two nodes, and never uses a device name twice in a namespace or one the kernel refuses', () => {
    fc.assert(
      fc.property(fc.uniqueArray(label, { minLength: 1, maxLength: 8 }), (nodes) => {
        const plan = planLab({ id: 'x', nodes });
        const ends = plan.links.flat();
        const places = ends.map(({ namespace, device }) => `${namespace}/${device}`);
        expect(new Set(places).size).to.equal(places.length);
        expect(plan.links).to.have.length((nodes.length * (nodes.length - 1)) / 2 + nodes.length);
        for (const { device } of ends) expect(device.length).to.be.at.most(15);
      }),
    );
  });

  const unusable: readonly (readonly [string, { id: string; nodes: readonly string[] }])[] = [
    ['an id with a dash, which another id’s prefix could contain', { id: 'a-b', nodes: ['n'] }],
    ['an empty id', { id: '', nodes: ['n'] }],
    ['an id of 13 characters', { id: 'a'.repeat(13), nodes: ['n'] }],
    ['a node name that is no DNS label', { id: 'x', nodes: ['Node_A'] }],
    ['a node name with a path in it', { id: 'x', nodes: ['../etc'] }],
    ['the name of the control namespace', { id: 'x', nodes: ['control'] }],
    ['a name twice', { id: 'x', nodes: ['n', 'n'] }],
    ['no node', { id: 'x', nodes: [] }],
    ['nine nodes', { id: 'x', nodes: Array.from('abcdefghi') }],
  ];
  for (const [what, request] of unusable) {
    it(`refuses ${what}`, () => {
      expect(() => planLab(request))
        .to.throw(MeshError)
        .with.property('code', 'MESH-CONFIG-003');
    });
  }
});
