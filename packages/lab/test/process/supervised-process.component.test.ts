import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { isRunning, stampOf } from '../../src/process/proc-stat.ts';
import { supervise, supervisedCommand } from '../../src/process/supervised-process.ts';
import type { SpawnOptions, SupervisedProcess } from '../../src/process/supervised-process.ts';
import { ended } from './ended.ts';

const deps = { clock: systemClock, env: process.env };

/** Starts a shell script and gives it with its lines. */
async function sh(script: string, options: Partial<SpawnOptions> = {}): Promise<{ child: SupervisedProcess; lines: string[] }> {
  const lines: string[] = [];
  const onLine = (stream: string, line: string): void => void lines.push(`${stream}: ${line}`);
  const child = await supervise({ name: 'test', command: ['sh', '-c', script], onLine, ...options }, deps);
  return { child, lines };
}

/** Starts a shell script and waits for its first line. */
async function shReady(script: string, clock = deps.clock): Promise<{ child: SupervisedProcess; line: string }> {
  const first = Promise.withResolvers<string>();
  const onLine = (_stream: string, line: string): void => first.resolve(line);
  const child = await supervise({ name: 'test', command: ['sh', '-c', script], onLine }, { ...deps, clock });
  return { child, line: await first.promise };
}

describe('supervise', () => {
  it('gives lines of both streams, the exit and the tail', async () => {
    const { child, lines } = await sh('echo one; echo two >&2; printf three; exit 7');
    expect(await child.exited).to.deep.equal({ code: 7, signal: null });
    expect(lines.toSorted()).to.deep.equal(['stderr: two', 'stdout: one', 'stdout: three']);
    expect(child.tail().toSorted()).to.deep.equal(['one', 'three', 'two']);
  });

  it('keeps the pid through every step, so that it is the command’s own', async () => {
    const { child, lines } = await sh('echo $$');
    await child.exited;
    expect(lines).to.deep.equal([`stdout: ${child.pid}`]);
  });

  it('passes arguments untouched', async () => {
    const lines: string[] = [];
    const command = ['printf', '%s\n', 'a b', '$HOME', '"', '--'];
    const child = await supervise({ name: 'test', command, onLine: (_stream, line) => void lines.push(line) }, deps);
    await child.exited;
    expect(lines).to.deep.equal(['a b', '$HOME', '"', '--']);
  });

  it('gives only the environment it says', async () => {
    const env = { PATH: '/bin', HOME: '/home/x', SECRET: 'no' };
    const lines: string[] = [];
    const options = {
      name: 'test',
      command: ['env'],
      env: { MINE: 'yes' },
      onLine: (_stream: string, line: string) => void lines.push(line),
    };
    await (
      await supervise(options, { ...deps, env })
    ).exited;
    expect(lines.filter((line) => /^(HOME|MINE|SECRET)=/.test(line)).toSorted()).to.deep.equal(['HOME=/home/x', 'MINE=yes']);
  });

  it('ends with code 127 and a reason when the command does not exist', async () => {
    const child = await supervise({ name: 'test', command: ['no-such-command'] }, deps);
    expect(await child.exited).to.deep.equal({ code: 127, signal: null });
    expect(child.tail().join()).to.include('no-such-command');
  });

  it('fails when the working directory does not exist', async () => {
    const error = await sh('true', { cwd: '/no/such/place' }).catch((thrown: unknown) => thrown);
    expect(error).to.have.property('code', 'MESH-LAB-001');
  });

  it('stops by SIGTERM, and by SIGKILL after the grace', async () => {
    const polite = await shReady('echo up; exec sleep 60');
    await polite.child.stop(5000);
    expect(await polite.child.exited).to.deep.equal({ code: null, signal: 'SIGTERM' });

    const clock = new FakeClock();
    const deaf = await shReady('trap "" TERM; echo up; while :; do sleep 1; done', clock);
    const stopped = deaf.child.stop(5000);
    clock.advance(5000);
    // What the shell left in the pipe is read, or given up a second later.
    clock.advance(1000);
    await stopped;
    expect(await deaf.child.exited).to.deep.equal({ code: null, signal: 'SIGKILL' });
  });

  it('takes the rest of its group along', async () => {
    const { child, line } = await shReady('sleep 60 >/dev/null 2>&1 & echo $!; wait');
    const grandchild = stampOf(Number(line))!;
    expect(isRunning(grandchild)).to.equal(true);
    process.kill(child.pid, 'SIGKILL');
    await child.exited;
    await ended(grandchild);
  });

  it('is killed by the kernel when its owner is killed', async () => {
    const owner = spawn(process.execPath, [join(import.meta.dirname, 'owner.ts')], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(createInterface(owner.stdout), 'line')) as [string];
    const child = stampOf(Number(line))!;
    expect(isRunning(child)).to.equal(true);
    owner.kill('SIGKILL');
    await ended(child);
  });

  it('does not start the command when the owner died before it could be watched', async () => {
    const [file = '', ...args] = supervisedCommand(['echo', 'started'], 1);
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => void chunks.push(chunk));
    const [code] = (await once(child, 'close')) as [number];
    expect([code, Buffer.concat(chunks).toString()]).to.deep.equal([125, '']);
  });
});
