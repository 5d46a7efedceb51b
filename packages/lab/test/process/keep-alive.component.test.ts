import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect } from 'chai';
import { describe, it } from 'mocha';

/** The exit status of a program that only awaits an unreferenced timer; Node gives 13 when nothing holds it open. */
function statusOf(expression: string): number | null {
  const module = JSON.stringify(join(import.meta.dirname, '../../src/process/keep-alive.ts'));
  const timer = `new Promise((resolve) => setTimeout(resolve, 20).unref())`;
  const program = `import { keepAliveFor } from ${module}; await ${expression.replace('TIMER', timer)};`;
  return spawnSync(process.execPath, ['--input-type=module', '-e', program], { stdio: 'ignore' }).status;
}

describe('keepAliveFor', () => {
  it('holds the process open while it waits, and no longer', () => {
    expect(statusOf('TIMER')).to.equal(13);
    expect(statusOf('keepAliveFor(TIMER)')).to.equal(0);
  });
});
