import { expect } from 'chai';
import { after, describe, it } from 'mocha';
import type { DemoReport } from '../src/demo/report.ts';
import { steps } from '../src/demo/steps.ts';
import { leftovers, patienceMs, Run } from './command-run.ts';

describe('clearmesh demo', function () {
  this.timeout(2 * patienceMs);
  const runs: Run[] = [];
  const start = (...args: readonly string[]): Run => {
    const run = new Run(...args);
    runs.push(run);
    return run;
  };
  after(() => {
    for (const { child } of runs) child.kill('SIGKILL');
  });

  it('holds every step, reports as JSON alone on standard output, and leaves nothing behind', async () => {
    const run = start('demo', '--once', '-o', 'json');
    const { status } = await run.ended;
    const report = JSON.parse(run.stdout) as DemoReport;
    expect(report.steps.filter(({ ok }) => !ok)).to.deep.equal([]);
    expect(report.steps.map(({ name }) => name)).to.deep.equal(steps.map(({ name }) => name));
    expect(report.steps.every(({ evidence }) => evidence !== '')).to.equal(true);
    expect(report.wire).to.include({ plaintextBytes: 0, firstGroup: 'X25519MLKEM768', secretsSeen: 0 });
    expect(report.wire.tlsVersions).to.deep.equal(['TLSv1.3']);
    expect(report.wire.tlsConnections).to.be.above(0);
    expect([status, report.ok, leftovers(run.lab)]).to.deep.equal([0, true, []]);
  });

  it('works right after a kill -9, and removes what that left', async () => {
    const killed = start('demo', '-o', 'text');
    await killed.says(/✓ 2 /);
    killed.child.kill('SIGKILL');
    await killed.ended;
    expect(leftovers(killed.lab)).not.to.deep.equal([]);
    const next = start('demo', '--once');
    const { status } = await next.ended;
    expect(next.stdout).to.match(new RegExp(`✓ ${steps.length} of ${steps.length} steps hold`));
    expect([status, leftovers(killed.lab), leftovers(next.lab)]).to.deep.equal([0, [], []]);
  });

  it('shows the live table until Ctrl-C, and then leaves nothing behind', async () => {
    const run = start('demo');
    await run.says(/SOURCE +DESTINATION +IDENTITY +CONNS +BYTES +DENIED/);
    await run.says(/payments-0 +ledger\/ledger +payments\/payments/);
    run.child.kill('SIGINT');
    const { status } = await run.ended;
    expect([status, leftovers(run.lab)]).to.deep.equal([0, []]);
    for (const line of run.stdout.split('\n')) expect(line.length).to.be.at.most(80);
  });

  it('leaves nothing behind when it is ended in the middle of its start', async () => {
    const run = start('demo', '--once');
    await run.says(/starting the prox/);
    run.child.kill('SIGTERM');
    const { status } = await run.ended;
    expect([status, leftovers(run.lab)]).to.deep.equal([143, []]);
  });
});
