import { expect } from 'chai';
import { describe, it } from 'mocha';
import { remembered } from '../../src/lifecycle/remembered.ts';

describe('remembered', () => {
  it('makes a value once for each object, and again for an equal one', () => {
    let made = 0;
    const lengthOf = remembered(({ text }: { text: string }) => (made += 1) * 100 + text.length);
    const one = { text: 'one' };
    expect([lengthOf(one), lengthOf(one), lengthOf({ text: 'one' }), lengthOf(one)]).to.deep.equal([103, 103, 203, 103]);
  });
});
