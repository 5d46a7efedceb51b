import { expect } from 'chai';
import { describe, it } from 'mocha';
import { CaptureReadiness } from '../../src/capture/capture-readiness.ts';
import { Readiness } from '@clearmesh/shared/admin/readiness';

function bed(): { readonly readiness: Readiness; readonly capture: CaptureReadiness } {
  const readiness = new Readiness();
  return { readiness, capture: new CaptureReadiness({ task: () => readiness.task('workload proxy manager') }) };
}

describe('CaptureReadiness', () => {
  it('is unready until the snapshot is acknowledged', () => {
    const { readiness, capture } = bed();
    expect(readiness.pending).to.deep.equal(['workload proxy manager']);
    capture.recvAgent('synced');
    expect(readiness.ready).to.equal(true);
  });

  it('is unready while a pod is pending', () => {
    const { readiness, capture } = bed();
    capture.recvPending(1);
    capture.recvAgent('synced');
    expect(readiness.ready).to.equal(false);
    capture.recvPending(0);
    expect(readiness.ready).to.equal(true);
  });

  it('is unready again when the agent is lost, however often that is said', () => {
    const { readiness, capture } = bed();
    capture.recvAgent('synced');
    capture.recvAgent('lost');
    capture.recvAgent('lost');
    expect(readiness.ready).to.equal(false);
    capture.recvAgent('synced');
    expect(readiness.ready).to.equal(true);
  });
});
