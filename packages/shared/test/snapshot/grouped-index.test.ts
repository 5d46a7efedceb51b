import { expect } from 'chai';
import { describe, it } from 'mocha';
import { GroupedIndex } from '../../src/snapshot/grouped-index.ts';

function indexOf(...entries: readonly (readonly [string, string, number])[]): GroupedIndex<number> {
  const edit = GroupedIndex.empty<number>().edit();
  for (const [group, member, value] of entries) edit.set(group, member, value);
  return edit.done();
}

describe('GroupedIndex', () => {
  it('lists the members of a group, and none for a group it does not know', () => {
    const index = indexOf(['a', 'x', 1], ['a', 'y', 2], ['b', 'x', 3]);
    expect(index.members('a')).to.have.members([1, 2]);
    expect(index.members('c')).to.deep.equal([]);
    expect(index.size).to.equal(2);
  });

  it('forgets a group with its last member', () => {
    const edit = indexOf(['a', 'x', 1]).edit();
    edit.delete('a', 'x');
    expect(edit.get('a', 'x')).to.equal(undefined);
    expect(edit.done().size).to.equal(0);
  });

  it('shares untouched groups between versions', () => {
    const before = indexOf(['a', 'x', 1], ['b', 'x', 2]);
    const edit = before.edit();
    edit.set('b', 'y', 3);
    const after = edit.done();
    expect(after.members('a')).to.equal(before.members('a'));
    expect(before.members('b')).to.deep.equal([2]);
  });

  it('is the very same index when nothing changed', () => {
    const index = indexOf(['a', 'x', 1]);
    const edit = index.edit();
    edit.set('a', 'x', 1);
    edit.delete('b', 'x');
    expect(edit.done()).to.equal(index);
  });
});
