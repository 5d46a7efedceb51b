import { expect } from 'chai';
import { describe, it } from 'mocha';
import { Readiness } from '../../src/admin/readiness.ts';

describe('Readiness', () => {
  it('is ready when nothing is pending', () => {
    const readiness = new Readiness();
    const synced = readiness.task('state manager');
    const snapshot = readiness.task('workload proxy manager');
    expect([readiness.ready, readiness.pending]).to.deep.equal([false, ['state manager', 'workload proxy manager']]);
    synced();
    expect(readiness.pending).to.deep.equal(['workload proxy manager']);
    snapshot();
    expect(readiness.ready).to.equal(true);
  });

  it('becomes not ready again with a new task, and names tasks of one name once', () => {
    const readiness = new Readiness();
    const [first, second] = [readiness.task('workload proxy manager'), readiness.task('workload proxy manager')];
    expect(readiness.pending).to.deep.equal(['workload proxy manager']);
    first();
    first();
    expect(readiness.ready).to.equal(false);
    second();
    expect(readiness.ready).to.equal(true);
  });
});
