import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { withStartLock } from '../../src/cleanup/start-lock.ts';

const deps = { clock: systemClock };
const options = { signal: AbortSignal.timeout(8000) };

describe('withStartLock', () => {
  it('lets one in at a time', async () => {
    const inside: string[] = [];
    const enter = (name: string): Promise<void> =>
      withStartLock(options, deps, async () => {
        inside.push(`${name} in`);
        await new Promise((resolve) => void setImmediate(resolve));
        inside.push(`${name} out`);
      });
    await Promise.all([enter('a'), enter('b'), enter('c')]);
    expect(inside).to.have.length(6);
    for (const index of [0, 2, 4]) expect(inside[index + 1]).to.equal(inside[index]!.replace('in', 'out'));
  });

  it('is free again after a task that failed', async () => {
    const failed = await withStartLock(options, deps, () => Promise.reject(new Error('no'))).catch(
      (error: Error) => error.message,
    );
    expect(failed).to.equal('no');
    expect(await withStartLock(options, deps, () => Promise.resolve('yes'))).to.equal('yes');
  });

  it('gives up after its patience, and says how to find the holder', async () => {
    const error = await withStartLock(options, deps, () =>
      withStartLock({ ...options, timeoutMs: 1 }, deps, () => Promise.resolve()).catch((thrown: unknown) => thrown),
    );
    expect(error).to.be.instanceOf(MeshError).with.property('hint').that.includes('ss -xlp');
  });

  it('is free again when its holder is killed', async () => {
    const holder = spawn(process.execPath, [join(import.meta.dirname, 'lock-holder.ts')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(holder.stdout, 'data');
    let isTaken = false;
    const taken = withStartLock(options, deps, () => Promise.resolve((isTaken = true)));
    await withStartLock({ ...options, timeoutMs: 50 }, deps, () => Promise.resolve()).catch(() => {});
    expect(isTaken).to.equal(false);
    holder.kill('SIGKILL');
    await taken;
    expect(isTaken).to.equal(true);
  });

  it('stops waiting when its signal aborts', async () => {
    const waiting = new AbortController();
    const error = await withStartLock(options, deps, async () => {
      const second = withStartLock({ signal: waiting.signal }, deps, () => Promise.resolve());
      waiting.abort(new Error('enough'));
      return second.catch((thrown: Error) => thrown.message);
    });
    expect(error).to.equal('enough');
  });
});
