import { expect } from 'chai';
import { describe, it } from 'mocha';
import { lifetimeOption } from '../../src/arguments/lifetime-option.ts';

describe('a lifetime on the command line', () => {
  for (const text of ['10s', '90s', '30m', '24h', '2160h']) {
    it(`may be ${text}`, () => expect(lifetimeOption(text)).to.equal(text));
  }

  for (const text of ['9s', '0m', '90', '1d', '2161h', '-5m', '1.5h', '']) {
    it(`may not be "${text}"`, () => expect(() => lifetimeOption(text)).to.throw('such as 90s, 30m or 24h'));
  }
});
