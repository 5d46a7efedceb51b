/** `npm run soak` for half a minute, and what it leaves behind when it is interrupted. */
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgram } from '../harness/run-program.ts';
import { complaintsOf } from '../soak/report.ts';
import type { Summary } from '../soak/soak.ts';

const program = join(import.meta.dirname, '../soak/main.ts');

describe('a soak', () => {
  it('passes half a minute of load with restarts, and says what it did as JSON', async function () {
    this.timeout(180_000);
    const command = [process.execPath, program, '--minutes', '0.5', '--seed', '4', '-o', 'json'];
    const { code, stdout, stderr } = await runProgram(command, { timeoutMs: 170_000 });
    expect(code, stdout + stderr).to.equal(0);
    const summary = JSON.parse(stdout) as Summary;
    expect(complaintsOf(summary)).to.deep.equal([]);
    expect(summary.disturbances.length).to.be.greaterThan(1);
    expect(summary.certificates).to.be.greaterThan(0);
    expect(summary.disturbances.every(({ toMs }) => toMs !== undefined)).to.equal(true);
    const names = summary.levels.map(({ name }) => name).toSorted((a, b) => a.localeCompare(b));
    const proxies = ['ztunnel node-a', 'ztunnel node-b', 'waypoint gate-0', 'waypoint gate-1'];
    expect(names).to.have.members(['control-plane', ...proxies]);
    for (const [load, count] of Object.entries(summary.counts)) expect(count, load).to.be.greaterThan(0);
  });

  it('leaves nothing behind when it is interrupted', async function () {
    this.timeout(90_000);
    const child = spawn(process.execPath, [program, '--minutes', '5'], { stdio: ['ignore', 'ignore', 'pipe'] });
    const closed = once(child, 'close');
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (text.includes('warming up')) child.kill('SIGINT');
    });
    const [code] = (await closed) as [number | null];
    expect(code, said).to.equal(130);
    const [, id = 'none'] = /^mesh (\w+) is up/m.exec(said) ?? [];
    expect(id).not.to.equal('none');
    const namespaces = await readdir('/run/netns');
    expect(namespaces.filter((name) => name.startsWith(`cm-${id}-`))).to.deep.equal([]);
    expect(await readdir('/run/clearmesh/work')).not.to.include(id);
  });

  it('refuses what it cannot use with status 2', async () => {
    const { code, stderr } = await runProgram([process.execPath, program, '--minutes', 'long']);
    expect(stderr).to.contain('--minutes long is not a number');
    expect(code).to.equal(2);
  });
});
