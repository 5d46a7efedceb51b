import { expect } from 'chai';
import { describe, it } from 'mocha';
import { AnswerSeal } from '../../src/shape/idempotency-seal.ts';

const context = { record: 'idem:bank:1', fingerprint: 'f1' };
const seal = new AnswerSeal(Buffer.alloc(32, 7), 'bank');
const sealed = seal.seal(Buffer.from('iban DE02'), context);

describe('AnswerSeal', () => {
  it('opens what it sealed', () => {
    expect(seal.open(sealed, context)?.toString()).to.equal('iban DE02');
  });

  it('opens in another replica with the same material', () => {
    expect(new AnswerSeal(Buffer.alloc(32, 7), 'bank').open(sealed, context)?.toString()).to.equal('iban DE02');
  });

  it('hides the answer, and seals it differently each time', () => {
    expect(sealed.includes('iban')).to.equal(false);
    expect(seal.seal(Buffer.from('iban DE02'), context).equals(sealed)).to.equal(false);
  });

  const flipped = (at: number): Buffer => {
    const copy = Buffer.from(sealed);
    copy[at] = (copy[at] ?? 0) ^ 1;
    return copy;
  };
  const table: readonly [string, () => Buffer | undefined][] = [
    ['under another record', () => seal.open(sealed, { ...context, record: 'idem:bank:2' })],
    ['for another request', () => seal.open(sealed, { ...context, fingerprint: 'f2' })],
    ['in another domain', () => new AnswerSeal(Buffer.alloc(32, 7), 'cards').open(sealed, context)],
    ['with another key', () => new AnswerSeal(Buffer.alloc(32, 8), 'bank').open(sealed, context)],
    ['with an altered version', () => seal.open(flipped(0), context)],
    ['with an altered nonce', () => seal.open(flipped(1), context)],
    ['with an altered tag', () => seal.open(flipped(13), context)],
    ['with an altered byte', () => seal.open(flipped(sealed.length - 1), context)],
    ['cut short', () => seal.open(sealed.subarray(0, 20), context)],
    ['of nothing', () => seal.open(Buffer.alloc(0), context)],
  ];
  for (const [title, open] of table)
    it(`does not open ${title}`, () => {
      expect(open()).to.equal(undefined);
    });

  it('refuses a key that is too short', () => {
    expect(() => new AnswerSeal(Buffer.alloc(31), 'bank')).to.throw('MESH-CONFIG-003');
  });
});
