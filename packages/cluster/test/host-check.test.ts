import { expect } from 'chai';
import { describe, it } from 'mocha';
import { readdir } from 'node:fs/promises';
import { whyNot } from '../src/host-check.ts';

describe('whether this machine can run the cluster', () => {
  it('is told in whole sentences that name a remedy or a cause, and leaves nothing behind', async () => {
    const reasons = await whyNot();
    for (const reason of reasons) expect(reason).to.match(/\w+ .*\w/);
    const left = [...(await readdir('/var/lib')), ...(await readdir('/sys/fs/cgroup').catch(() => []))];
    expect(
      left.filter((name) => name.startsWith('clearmesh-overlay-') || name.startsWith('clearmesh-cluster-probe-')),
    ).to.deep.equal([]);
  });
});
