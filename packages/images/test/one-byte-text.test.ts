import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { runInThisContext } from 'node:vm';
import { oneByteText } from '../src/one-byte-text.ts';

describe('text of one byte a character', () => {
  for (const code of [
    '"the peer’s"',
    "'a → b'",
    '`é ${"…"} 🂡`',
    '"’’".replace(/’/g, "-")',
    '/^[→–]🂡$/u.test("→🂡")',
    '({ "naïve’s": 1 })["naïve’s"]',
    String.raw`"a\\’b"`,
    String.raw`"\’"`,
  ]) {
    it(`means what it meant: ${code}`, () => {
      expect(runInThisContext(oneByteText(code))).to.deep.equal(runInThisContext(code));
    });
  }

  it('holds no character beyond Latin-1, and every string as it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const code = oneByteText(JSON.stringify(text));
        expect(runInThisContext(code)).to.equal(text);
        expect(code.replaceAll(/\\[^\0-\u{ff}]/gu, '')).not.to.match(/[^\0-\u{ff}]/u);
      }),
    );
  });

  it('leaves a text without such characters alone', () => {
    expect(oneByteText('const naïve = "\\u2019";')).to.equal('const naïve = "\\u2019";');
  });
});
