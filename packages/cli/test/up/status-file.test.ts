import { expect } from 'chai';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { parse } from 'yaml';
import { formatStatus, StatusFile } from '../../src/up/status-file.ts';
import type { PodStatus } from '../../src/up/status-file.ts';

const ledger: PodStatus = {
  key: 'ledger/ledger-0',
  uid: 'u-1',
  podIPs: ['10.244.1.2'],
  nodeName: 'node-b',
  ready: false,
  redirection: 'none',
};
const payments: PodStatus = {
  key: 'payments/payments-0',
  uid: 'u-2',
  podIPs: ['10.244.0.2'],
  nodeName: 'node-a',
  ready: true,
  redirection: 'enabled',
};

describe('formatStatus', () => {
  it('is the map of pods that the control plane reads, and denies a redirection that is not there', () => {
    expect(parse(formatStatus([payments, ledger]))).to.deep.equal({
      pods: {
        'ledger/ledger-0': { uid: 'u-1', podIPs: ['10.244.1.2'], nodeName: 'node-b', ready: false, redirection: 'disabled' },
        'payments/payments-0': { uid: 'u-2', podIPs: ['10.244.0.2'], nodeName: 'node-a', ready: true, redirection: 'enabled' },
      },
    });
  });

  it('is the same text for the same pods in another order', () => {
    expect(formatStatus([payments, ledger])).to.equal(formatStatus([ledger, payments]));
  });
});

describe('StatusFile', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'clearmesh-status-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it('shows the last of several writes made at once, and leaves no other file', async () => {
    const file = new StatusFile({ path: join(directory, 'status.yaml') });
    await Promise.all([file.write([ledger]), file.write([ledger, payments]), file.write([payments])]);
    expect(await readFile(file.path, 'utf8')).to.equal(formatStatus([payments]));
    expect(await readdir(directory)).to.deep.equal(['status.yaml']);
  });

  it('tells the writer whose write failed, and serves the next one', async () => {
    const path = join(directory, 'later', 'status.yaml');
    const file = new StatusFile({ path });
    const failure = await file.write([ledger]).catch((error: NodeJS.ErrnoException) => error.code);
    expect(failure).to.equal('ENOENT');
    await (await import('node:fs/promises')).mkdir(join(directory, 'later'));
    await file.write([ledger]);
    expect(await readFile(path, 'utf8')).to.equal(formatStatus([ledger]));
  });
});
