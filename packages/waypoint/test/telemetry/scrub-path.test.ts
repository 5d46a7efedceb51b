import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { scrubPath } from '../../src/telemetry/scrub-path.ts';

describe('scrubPath', () => {
  for (const [name, path, expected] of [
    ['a card number', '/cards/4111111111111111', '/cards/[card]'],
    ['a card number of 19 digits', '/cards/6304000000000000000', '/cards/[card]'],
    ['a grouped card number', '/cards/4111-1111-1111-1111/limit', '/cards/[card]/limit'],
    ['escaped spaces', '/cards/4111%201111%201111%201111', '/cards/[card]'],
    ['a card number behind other digits', '/x/12-4111111111111111', '/x/[card]'],
    ['more digits than any card has', '/x/41111111111111111234567', '/x/[card]'],
    ['two cards', '/4111111111111111/5500005555555559', '/[card]/[card]'],
    ['digits that fail the check', '/orders/4111111111111112', '/orders/4111111111111112'],
    ['a short number', '/accounts/42', '/accounts/42'],
    ['a UUID', '/p/6f1c7f0e-9d3b-4a52-8f47-0c9c6f7f0b11', '/p/6f1c7f0e-9d3b-4a52-8f47-0c9c6f7f0b11'],
    ['digits spread over segments', '/411/111/111/111/1111', '/411/111/111/111/1111'],
  ] as const) {
    it(`leaves ${expected} of ${name}`, () => {
      expect(scrubPath(path)).to.equal(expected);
    });
  }

  it('leaves no card number anywhere in a path', () => {
    const card = fc.integer({ min: 0, max: 999_999_999_999_999 }).map((seed) => luhn(String(seed).padStart(15, '4')));
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z/.]{0,20}$/), card, fc.stringMatching(/^[a-z/.]{0,20}$/), (before, digits, after) => {
        expect(scrubPath(`/${before}${digits}${after}`)).not.to.include(digits);
      }),
    );
  });

  it('takes time in proportion to the path', () => {
    const path = `/${'1-'.repeat(8_000)}`;
    const started = performance.now();
    scrubPath(path);
    expect(performance.now() - started).to.be.below(250);
  });
});

/** The digits with the check digit they need. */
function luhn(digits: string): string {
  let sum = 0;
  for (const [i, digit] of digits.split('').toReversed().entries()) {
    const doubled = Number(digit) * (i % 2 === 0 ? 2 : 1);
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return `${digits}${(10 - (sum % 10)) % 10}`;
}
