import { expect } from 'chai';
import { describe, it } from 'mocha';
import { nodeNames, place } from '../../src/up/placement.ts';

describe('nodeNames', () => {
  for (const [named, atLeast, expected] of [
    [['node-b', 'node-a', undefined, 'node-b'], 1, ['node-a', 'node-b']],
    [[], 2, ['node-a', 'node-b']],
    [['node-b'], 3, ['node-a', 'node-b', 'node-c']],
    [['edge'], 2, ['edge', 'node-a']],
  ] as const) {
    it(`makes ${expected.join(', ')} of ${named.join(', ') || 'nothing'} and at least ${atLeast}`, () => {
      expect(nodeNames(named, atLeast)).to.deep.equal(expected);
    });
  }
});

describe('place', () => {
  const nodes = ['node-a', 'node-b'];

  it('obeys the manifest, then keeps a pod where it is, then takes the emptiest node', () => {
    const placed = place(
      [
        { key: 'a/fixed', nodeName: 'node-a' },
        { key: 'a/new', nodeName: undefined },
        { key: 'a/old', nodeName: undefined },
        { key: 'a/newer', nodeName: undefined },
      ],
      nodes,
      new Map([['a/old', 'node-a']]),
    );
    expect([...placed]).to.have.deep.members([
      ['a/fixed', 'node-a'],
      ['a/old', 'node-a'],
      ['a/new', 'node-b'],
      ['a/newer', 'node-b'],
    ]);
  });
});
