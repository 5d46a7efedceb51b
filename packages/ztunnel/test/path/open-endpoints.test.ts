import { expect } from 'chai';
import { describe, it } from 'mocha';
import { workload } from '@clearmesh/shared/testing/builders';
import { OpenEndpoints } from '../../src/path/open-endpoints.ts';

describe('OpenEndpoints', () => {
  it('counts connections by workload, and keeps nothing of those that are over', () => {
    const open = new OpenEndpoints();
    const [one, two] = [workload({ name: 'one' }), workload({ name: 'two' })];
    const held = [open.open(one), open.open(one), open.open(two), open.open(undefined)];
    expect([open.loadOf(one.uid), open.loadOf(two.uid), open.size]).to.deep.equal([2, 1, 2]);
    held[0]?.[Symbol.dispose]();
    held[0]?.[Symbol.dispose]();
    expect(open.loadOf(one.uid)).to.equal(1);
    for (const each of held) each[Symbol.dispose]();
    expect([open.loadOf(one.uid), open.size]).to.deep.equal([0, 0]);
  });
});
