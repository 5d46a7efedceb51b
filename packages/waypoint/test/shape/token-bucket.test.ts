import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { TokenBuckets, tokensAt, waitMs } from '../../src/shape/token-bucket.ts';

const rule = { ratePerMs: 0.01, burst: 5 };

describe('tokensAt', () => {
  const table: readonly [string, number, number][] = [
    ['stands still without time', 0, 2],
    ['refills with time', 150, 3.5],
    ['is full at its burst', 1_000, 5],
    ['takes nothing back when the clock does', -100, 2],
  ];
  for (const [title, afterMs, tokens] of table)
    it(title, () => {
      expect(tokensAt({ tokens: 2, atMs: 1_000 }, rule, 1_000 + afterMs)).to.be.closeTo(tokens, 1e-9);
    });

  it('has a token again exactly after the wait', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), (tokens) => {
        const wait = waitMs(tokens, 1, rule);
        expect(tokensAt({ tokens, atMs: 0 }, rule, wait + 1e-6)).to.be.at.least(1 - 1e-7);
        expect(tokensAt({ tokens, atMs: 0 }, rule, wait - 1)).to.be.below(1);
      }),
    );
  });

  it('lets through what the rate and the burst allow, and no more', () => {
    const bucket = { tokens: rule.burst, atMs: 0 };
    let through = 0;
    for (let nowMs = 0; nowMs < 10_000; nowMs += 1) {
      const tokens = tokensAt(bucket, rule, nowMs);
      bucket.tokens = tokens >= 1 ? tokens - 1 : tokens;
      bucket.atMs = nowMs;
      if (tokens >= 1) through += 1;
    }
    expect(through).to.be.within(104, 105);
  });
});

describe('TokenBuckets', () => {
  it('remembers a bucket', () => {
    const buckets = new TokenBuckets();
    buckets.bucket('a', rule, 0).tokens = 1;
    expect(buckets.bucket('a', rule, 0).tokens).to.equal(1);
  });

  it('never holds more than its bound', () => {
    const buckets = new TokenBuckets({ maxBuckets: 10 });
    for (let index = 0; index < 1_000; index++) {
      buckets.bucket(`b${index}`, rule, 0);
      expect(buckets.size).to.be.at.most(10);
    }
  });

  it('forgets what is not in use, and keeps what is', () => {
    const buckets = new TokenBuckets({ maxBuckets: 10 });
    buckets.bucket('idle', rule, 0).tokens = 1;
    buckets.bucket('busy', rule, 0).tokens = 1;
    for (let index = 0; index < 1_000; index++) {
      buckets.bucket(`b${index}`, rule, 0);
      buckets.bucket('busy', rule, 0);
    }
    expect([buckets.bucket('busy', rule, 0).tokens, buckets.bucket('idle', rule, 0).tokens]).to.deep.equal([1, 5]);
  });
});
