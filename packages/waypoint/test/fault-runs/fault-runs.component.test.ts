import { expect } from 'chai';
import { describe, it } from 'mocha';
import { campaign } from './campaign.ts';
import { formatFailure } from './report.ts';

/** Of what may end a request; each must have been met. */
const ends = [
  'ledger: 201',
  'ledger: 201 replayed',
  'ledger: 500',
  'changed body: 422 idempotency-mismatch',
  'not-dispatched: 409 idempotency-in-flight',
  'not-dispatched: 503 connect-failure',
  'not-dispatched: 503 idempotency-unavailable',
  'not-dispatched: 503 refused-stream',
  'unknown: 409 idempotency-unknown',
  'unknown: 503 reset',
  'unknown: 504 per-try-timeout',
];

describe('500 randomised fault runs', () => {
  it('double no payment and lose none that was confirmed', async function () {
    this.timeout(120_000);
    const options = { seed: 20_261_124, first: 0, runs: 500, parallel: 8, maxFailures: 3 };
    const summary = await campaign(options, () => {});
    expect(summary.failures.map((failure) => formatFailure(summary.seed, failure)).join('\n\n')).to.equal('');
    expect(summary).to.include({ runs: 500 });
    expect(summary.missing).to.deep.equal([]);
    expect(summary.ends).to.include.keys(ends);
    expect(summary.reconciled.booked + summary.reconciled.notBooked).to.be.greaterThan(0);
  });
});
