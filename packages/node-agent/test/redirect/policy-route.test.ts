import { expect } from 'chai';
import { describe, it } from 'mocha';
import { installRoutes, removeRoutes } from '../../src/redirect/policy-route.ts';

describe('the return path', () => {
  for (const { family, all } of [
    { family: 4, all: '0.0.0.0/0' },
    { family: 6, all: '::/0' },
  ] as const) {
    it(`delivers marked IPv${family} locally by table 100`, () => {
      expect(installRoutes(family).lines).to.deep.equal([
        'rule add fwmark 0x111/0xfff pref 32764 lookup 100',
        `route replace local ${all} dev lo table 100`,
      ]);
      expect(removeRoutes(family).lines).to.deep.equal([
        'rule del fwmark 0x111/0xfff pref 32764 lookup 100',
        `route del local ${all} dev lo table 100`,
      ]);
    });
  }
});
