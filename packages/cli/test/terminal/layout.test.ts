import { expect } from 'chai';
import { describe, it } from 'mocha';
import { byteCount, duration, fit, wrap } from '../../src/terminal/layout.ts';

describe('layout', () => {
  it('wraps at spaces and lets a long word stand alone', () => {
    expect(wrap('one two three', 7)).to.deep.equal(['one two', 'three']);
    expect(wrap('a spiffe://cluster.local/ns/x b', 10)).to.deep.equal(['a', 'spiffe://cluster.local/ns/x', 'b']);
    expect(wrap('', 10)).to.deep.equal(['']);
  });

  for (const [text, width, expected] of [
    ['short', 10, 'short'],
    ['customer-analytics/analytics-0', 20, 'custome…/analytics-0'],
    ['a/a-very-long-name', 8, 'a/a-ver…'],
    ['abc', 1, '…'],
    ['abc', 3, 'abc'],
  ] as const) {
    it(`fits ${text} into ${width} characters`, () => {
      expect(fit(text, width)).to.equal(expected);
    });
  }

  for (const [ms, text] of [
    [0.4, '0 ms'],
    [84, '84 ms'],
    [1240, '1.2 s'],
  ] as const) {
    it(`shows ${ms} milliseconds as ${text}`, () => {
      expect(duration(ms)).to.equal(text);
    });
  }

  for (const [bytes, text] of [
    [0, '0 B'],
    [1023, '1023 B'],
    [1536, '1.5 KiB'],
    [5 * 1024 ** 3, '5.0 GiB'],
  ] as const) {
    it(`shows ${bytes} bytes as ${text}`, () => {
      expect(byteCount(bytes)).to.equal(text);
    });
  }
});
