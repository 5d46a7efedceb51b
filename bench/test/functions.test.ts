import { expect } from 'chai';
import { describe, it } from 'mocha';
import { functionCases } from '../functions.ts';
import { nanosecondsPerCall } from '../functions/function-case.ts';

describe('functions that are measured', () => {
  for (const { title, agree } of functionCases()) {
    it(`come to what the naive way comes to: ${title}`, async () => expect(await agree()).to.equal(true));
  }

  it('are called until the time is over, one by one where they give promises', async () => {
    let calls = 0;
    expect(await nanosecondsPerCall(() => (calls += 1), 1)).to.be.greaterThan(0);
    expect(calls).to.be.greaterThan(1);
    let underWay = 0;
    const one = async (): Promise<void> => {
      underWay += 1;
      await Promise.resolve();
      underWay -= 1;
    };
    await nanosecondsPerCall(async () => {
      expect(underWay).to.equal(0);
      await one();
    }, 1);
  });
});
