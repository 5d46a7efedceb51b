import { expect } from 'chai';
import { describe, it } from 'mocha';
import { hasSettled, settledMib } from '../load/settled-memory.ts';

describe('memory at rest', () => {
  it('is reached when six samples in a row are as good as equal', () => {
    expect(hasSettled([90, 70, 60.1, 60, 60.2, 60, 60.3, 60.1])).to.equal(true);
  });

  for (const [name, samples] of [
    ['few samples', [60, 60, 60, 60, 60]],
    ['a fall', [66, 65, 64, 63, 62, 61]],
    ['one sample that differs', [60, 60, 60, 62, 60, 60]],
  ] as const) {
    it(`is not told from ${name}`, () => {
      expect(hasSettled(samples)).to.equal(false);
    });
  }

  it('is asked of a process that is gone in vain', async () => {
    const failure = await settledMib([2 ** 22 + 1]).catch((error: unknown) => error);
    expect(String(failure)).to.contain('ENOENT');
  });
});
