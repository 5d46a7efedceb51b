import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NamespaceBed } from '@clearmesh/linux/testing/namespace-bed';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { NamespaceFinder } from '../../src/locate/namespace-finder.ts';
import type { Finding } from '../../src/locate/namespace-finder.ts';

const uid = '11111111-aaaa-4bbb-8ccc-000000000001';

describe('NamespaceFinder', () => {
  let bed: NamespaceBed;
  let proc: string;
  let finder: NamespaceFinder;

  beforeEach(() => {
    bed = new NamespaceBed();
    bed.add('pod');
    bed.add('other');
    bed.exec('pod', 'ip', 'address', 'add', '10.9.9.9/32', 'dev', 'lo');
    bed.exec('pod', 'ip', 'address', 'add', 'fd09::9/128', 'dev', 'lo');
    bed.exec('pod', 'ip', 'link', 'set', 'lo', 'up');
    bed.exec('other', 'ip', 'link', 'set', 'lo', 'up');
    proc = mkdtempSync(join(tmpdir(), 'proc-'));
    finder = new NamespaceFinder({ procPath: proc });
  });
  afterEach(() => {
    bed[Symbol.dispose]();
    rmSync(proc, { recursive: true });
  });

  function process(pid: number, namespacePath: string, started = pid, pod = uid): void {
    mkdirSync(join(proc, String(pid), 'ns'), { recursive: true });
    writeFileSync(join(proc, String(pid), 'cgroup'), `0::/kubepods/pod${pod}/c\n`);
    writeFileSync(join(proc, String(pid), 'stat'), `${pid} (app) S ${'0 '.repeat(18)}${started} 0\n`);
    symlinkSync(namespacePath, join(proc, String(pid), 'ns/net'));
  }

  /** Which namespace it is, or why there is none. */
  function told(finding: Finding): string {
    if (finding.kind === 'missing') return finding.reason;
    using netns = finding.netns;
    return (
      netns.run(() => 'found') + ` ${netns.inode === BigInt(bed.exec('pod', 'stat', '-Lc', '%i', '/proc/self/ns/net').trim())}`
    );
  }

  for (const ip of ['10.9.9.9', 'fd09:0::9']) {
    it(`finds the namespace of a process of the pod that owns ${ip}`, async () => {
      process(41, bed.pathOf('pod'));
      expect(told(await finder.find({ keys: [uid], ips: [ip] }))).to.equal('found true');
    });
  }

  it('does not believe a process whose namespace has none of the addresses, and looks at the next', async () => {
    process(41, bed.pathOf('other'));
    expect(told(await finder.find({ keys: [uid], ips: ['10.9.9.9'] }))).to.include('without any of 10.9.9.9');
    process(42, bed.pathOf('pod'));
    expect(told(await finder.find({ keys: [uid], ips: ['10.9.9.9'] }))).to.equal('found true');
  });

  it('never takes the host’s own namespace, nor processes of other pods, nor those that have ended', async () => {
    process(41, '/proc/self/ns/net');
    process(42, bed.pathOf('pod'), 42, '22222222-aaaa-4bbb-8ccc-000000000002');
    process(43, '/gone');
    expect(told(await finder.find({ keys: [uid], ips: ['10.9.9.9'] }))).to.include('43/ns/net: ENOENT');
    expect(told(finder.openPath('/proc/self/ns/net', 41))).to.include('is the host');
  });

  it('opens the runtime’s path, or the same path as the plugin sees it', () => {
    expect(told(finder.openPath(bed.pathOf('pod'), 41))).to.equal('found true');
    mkdirSync(join(proc, '41/root/run'), { recursive: true });
    symlinkSync(bed.pathOf('pod'), join(proc, '41/root/run/x'));
    expect(told(finder.openPath('/run/x', 41))).to.equal('found true');
    expect(told(finder.openPath('/run/y', 41)))
      .to.include('/run/y')
      .and.include('41/root/run/y');
  });
});
