import { expect } from 'chai';
import { describe, it } from 'mocha';
import { mayMakeNamespaces } from '../../src/host/capabilities.ts';

describe('mayMakeNamespaces', () => {
  for (const [what, status, expected] of [
    ['full root', 'Name:\tnode\nCapEff:\t000001ffffffffff\nCapBnd:\t0\n', true],
    ['exactly CAP_NET_ADMIN and CAP_SYS_ADMIN', 'CapEff:\t0000000000201000\n', true],
    ['root of a plain container', 'CapEff:\t00000000a80425fb\n', false],
    ['CAP_NET_ADMIN alone', 'CapEff:\t0000000000001000\n', false],
    ['an ordinary user', 'CapEff:\t0000000000000000\n', false],
    ['an ordinary user with a full bounding set', 'CapEff:\t0000000000000000\nCapBnd:\t000001ffffffffff\n', false],
    ['a text without the line', 'Name:\tnode\n', false],
    ['a line that is no number', 'CapEff:\tzz\n', false],
  ] as const) {
    it(`is ${expected} for ${what}`, () => {
      expect(mayMakeNamespaces(status)).to.equal(expected);
    });
  }
});
