import { FakeRandom } from '../../src/testing/fake-random.ts';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { renewalDelayMs, retryDelayMs } from '../../src/certificates/renewal-schedule.ts';

const hourMs = 3_600_000;

describe('renewalDelayMs', () => {
  const day = { notBefore: 0, notAfter: 24 * hourMs };
  for (const [what, unit, now, expected] of [
    ['half the life in the middle of the jitter', 0.5, 0, 12 * hourMs],
    ['5 % earlier at the least', 0, 0, 12 * hourMs * 0.95],
    ['half the life from the start of validity, however late it came', 0.5, hourMs, 11 * hourMs],
    ['a quarter of what is left when the half life is past', 0.5, 20 * hourMs, hourMs],
    ['a second when the certificate has ended', 0.5, 25 * hourMs, 1_000],
  ] as const) {
    it(`is ${what}`, () => expect(renewalDelayMs(day, now, new FakeRandom([unit]))).to.be.closeTo(expected, 1e-3));
  }

  it('is no loop for a certificate that lives shorter than it is dated back', () => {
    const short = { notBefore: -120_000, notAfter: 40_000 };
    expect(renewalDelayMs(short, 0, new FakeRandom([0.5]))).to.be.closeTo(10_000, 1e-3);
  });

  it('is 5 % later at the most', () => {
    expect(renewalDelayMs(day, 0, new FakeRandom([0.999_999]))).to.be.closeTo(12 * hourMs * 1.05, 1_000);
  });
});

describe('retryDelayMs', () => {
  for (const [what, current, expected] of [
    ['the back-off without a certificate', undefined, 4_000],
    ['the back-off while the certificate lasts longer', { notBefore: 0, notAfter: 100_000 }, 4_000],
    ['the end of the certificate when that is sooner', { notBefore: 0, notAfter: 11_000 }, 1_000],
    ['the back-off when the certificate has expired', { notBefore: 0, notAfter: 9_000 }, 4_000],
  ] as const) {
    it(`is ${what}`, () => expect(retryDelayMs(4_000, current, 10_000)).to.equal(expected));
  }
});
