import { expect } from 'chai';
import { describe, it } from 'mocha';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { campaign } from './campaign.ts';
import type { CampaignOptions, CampaignResult } from './campaign.ts';
import { targets } from './targets/all.ts';

const broken = new URL('./broken-targets.ts', import.meta.url);

function search(name: string, options: Partial<CampaignOptions> = {}): Promise<CampaignResult> {
  return campaign({ targets: broken, only: [name], seed: 1, seconds: 20, ...options }, () => {});
}

function fuzz(...args: readonly string[]): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
  return spawnSync(process.execPath, [join(import.meta.dirname, 'main.ts'), ...args], { encoding: 'utf8', timeout: 60_000 });
}

describe('a campaign', function () {
  this.timeout(60_000);

  it('ends with the smallest input that breaks a decoder', async () => {
    const { finding } = await search('throws');
    expect(finding).to.include({ target: 'throws', kind: 'broken' });
    expect(finding?.message).to.contain('a byte of 255');
    expect([...(finding?.input ?? [])]).to.deep.equal([0xff]);
  });

  it('ends a decoder that hangs, and has its input', async () => {
    const { finding } = await search('hangs', { hangMs: 500 });
    expect(finding).to.include({ target: 'hangs', kind: 'hangs' });
    expect(Buffer.from(finding?.input ?? []).toString()).to.equal('some bytes, in which a mark may come');
  });

  it('tells of inputs that take too long', async () => {
    const { finding } = await search('slow', { slowMs: 5 });
    expect(finding).to.include({ target: 'slow', kind: 'slow' });
    expect(finding?.input).to.have.length(0);
  });

  it('tells of a decoder that keeps memory', async () => {
    const { finding } = await search('grows', { growthBytes: 2_000_000, seconds: 2 });
    expect(finding).to.include({ target: 'grows', kind: 'memory' });
  });

  it('ends without a finding where there is none, with what it ran', async () => {
    const { finding, counts } = await search('fine', { seconds: 0.3 });
    expect(finding).to.equal(undefined);
    expect(counts[0]?.executions).to.be.greaterThan(100);
  });
});

describe('npm run fuzz', function () {
  this.timeout(60_000);

  it('runs every target, finds nothing in them, and says the seed and how many were run', () => {
    const { status, stdout, stderr } = fuzz('--minutes', '0.1', '--seed', '20261125');
    expect(stdout).to.contain('nothing was found');
    expect(status).to.equal(0);
    expect(stderr).to.contain('seed 20261125');
    for (const { name } of targets) {
      const [, executions = '0', perSecond = '0'] = new RegExp(`^${name} +(\\d+) +(\\d+)`, 'm').exec(stdout) ?? [];
      expect(Number(executions), name).to.be.greaterThan(100);
      expect(Number(perSecond), name).to.be.greaterThan(0);
    }
  });

  it('runs one input again', () => {
    const { status, stdout } = fuzz('--only', 'authority', '--replay', Buffer.from('10.0.0.1:80').toString('hex'));
    expect(stdout).to.equal('nothing was found\n');
    expect(status).to.equal(0);
  });

  for (const [what, args, reason] of [
    ['a target that there is not', ['--only', 'tcp'], /--only tcp: there is no such target/],
    ['a time that is none', ['--minutes', 'long'], /--minutes long is not a number/],
    ['an input for no target', ['--replay', '00'], /--only the one target/],
    ['an option that there is not', ['--fast'], /--fast/],
  ] as const) {
    it(`refuses ${what} with status 2`, () => {
      const { status, stderr } = fuzz(...args);
      expect(stderr).to.match(reason);
      expect(status).to.equal(2);
    });
  }
});
