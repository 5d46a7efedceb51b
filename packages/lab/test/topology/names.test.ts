import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { namespacePath, namespacePrefix, nodeNamespace, podNamespace } from '../../src/topology/names.ts';

const id = fc.stringMatching(/^[a-z0-9]{1,12}$/);
const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/);

describe('names', () => {
  it('puts namespaces under /run/netns', () => {
    expect(namespacePath(podNamespace('x', 'bank', 'ledger-0.v2'))).to.equal('/run/netns/cm-x-bank.ledger-0.v2');
  });

  it('never gives a pod the name of a node, nor one lab the prefix of another', () => {
    fc.assert(
      fc.property(id, id, label, label, label, (one, other, node, namespace, pod) => {
        expect(podNamespace(one, namespace, pod)).to.not.equal(nodeNamespace(one, node));
        if (one !== other) expect(nodeNamespace(one, node).startsWith(namespacePrefix(other))).to.equal(false);
      }),
    );
  });

  for (const [namespace, pod] of [
    ['bank', '../x'],
    ['bank', 'a/b'],
    ['bank', ''],
    ['bank', 'a b'],
    ['ba.nk', 'pod'],
    ['bank', 'x'.repeat(151)],
  ] as const) {
    it(`refuses the pod ${namespace}/${pod.slice(0, 10)}`, () => {
      expect(() => podNamespace('x', namespace, pod))
        .to.throw(MeshError)
        .with.property('code', 'MESH-CONFIG-003');
    });
  }
});
