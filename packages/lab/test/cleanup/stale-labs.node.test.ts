import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { cleanStaleLabs } from '../../src/cleanup/stale-labs.ts';
import { isRunning } from '../../src/process/proc-stat.ts';
import type { ProcessStamp } from '../../src/process/proc-stat.ts';
import { get, labDeps, serve, twoNodes } from '../lab-bed.ts';
import { ended } from '../process/ended.ts';

type Owned = { readonly id: string; readonly workDir: string; readonly processes: readonly [ProcessStamp, ProcessStamp] };

/** A lab whose owner was killed with SIGKILL. */
async function orphanedLab(): Promise<Owned> {
  const owner = spawn(process.execPath, [join(import.meta.dirname, 'lab-owner.ts')], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface(owner.stdout), 'line')) as [string];
  owner.kill('SIGKILL');
  await once(owner, 'exit');
  return JSON.parse(line) as Owned;
}

async function namespacesOf(id: string): Promise<readonly string[]> {
  return (await readdir('/run/netns')).filter((name) => name.startsWith(`cm-${id}-`));
}

describe('cleanStaleLabs', function () {
  this.timeout(20_000);

  it('leaves nothing of a lab whose owner was killed: namespaces, processes, files', async () => {
    const { id, workDir, processes } = await orphanedLab();
    const [child, escaped] = processes;
    await ended(child);
    expect(isRunning(escaped)).to.equal(true);
    expect(await namespacesOf(id)).to.have.length(5);
    expect(existsSync(workDir)).to.equal(true);

    const report = await cleanStaleLabs(labDeps);
    expect(report.labs).to.include(id);
    expect(report.processes).to.include(escaped.pid);
    expect(isRunning(escaped)).to.equal(false);
    expect(await namespacesOf(id)).to.deep.equal([]);
    expect([existsSync(workDir), existsSync(`/run/clearmesh/labs/${id}.json`)]).to.deep.equal([false, false]);
    expect((await cleanStaleLabs(labDeps)).labs).to.not.include(id);
  });

  it('happens at the start of the next lab, and leaves living ones alone', async () => {
    await using living = (await twoNodes()).lab;
    const [client, server] = living.pods;
    const child = await serve(living, server!, 'server');
    const orphan = await orphanedLab();
    await using next = (await twoNodes()).lab;
    expect(next.id).to.not.equal(orphan.id);
    expect(await namespacesOf(orphan.id)).to.deep.equal([]);
    expect(isRunning(orphan.processes[1])).to.equal(false);
    expect(await get(living, client!.namespacePath, server!.ip, 8080)).to.equal(`server saw ${client!.ip}`);
    expect(existsSync(living.workDir)).to.equal(true);
    await child.stop(2000);
  });

  it('believes no number without its start time, and no directory that labs do not make', async () => {
    const bystander = spawn('sleep', ['300'], { stdio: 'ignore' });
    const directory = '/run/clearmesh/keep-me';
    await mkdir(directory, { recursive: true });
    const stale = { pid: bystander.pid!, startTicks: 1 };
    const record = { version: 1, id: 'forged', owner: stale, namespaces: [], processes: [stale], workDir: directory };
    await mkdir('/run/clearmesh/labs', { recursive: true });
    await writeFile('/run/clearmesh/labs/forged.json', JSON.stringify(record));
    await writeFile('/run/clearmesh/labs/foreign.json', '{"not": "ours"}');
    const report = await cleanStaleLabs(labDeps);
    expect(report.labs).to.include('forged');
    expect(report.processes).to.not.include(bystander.pid);
    expect([bystander.exitCode, bystander.signalCode]).to.deep.equal([null, null]);
    expect([existsSync(directory), existsSync('/run/clearmesh/labs/foreign.json')]).to.deep.equal([true, true]);
    bystander.kill();
    await rm(directory, { recursive: true });
    await rm('/run/clearmesh/labs/foreign.json');
  });
});
