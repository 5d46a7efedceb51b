import { expect } from 'chai';
import { describe, it } from 'mocha';
import { createLogger } from '@clearmesh/shared/observe/log';
import type { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { AcceptHealth } from '../../src/capture/accept-health.ts';

type Bed = {
  readonly health: AcceptHealth;
  readonly clock: FakeClock;
  readonly lines: string[];
  readonly fatal: MeshError[];
  failures: number;
  exhausted: boolean;
};

function bed(deadlineMs?: number): Bed {
  const clock = new FakeClock();
  const lines: string[] = [];
  const fatal: MeshError[] = [];
  const write = (line: string): void => void lines.push((JSON.parse(line) as { message: string }).message);
  const shared = { clock, lines, fatal, failures: 0, exhausted: false };
  const health = new AcceptHealth(deadlineMs === undefined ? {} : { deadlineMs }, {
    clock,
    logger: createLogger('inpod', { format: 'json', write }),
    probe: () => {
      if (all.exhausted) throw Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' });
    },
    metrics: { acceptFailed: () => void all.failures++ },
    onFatal: (error) => fatal.push(error),
  });
  const all = Object.assign(shared, { health });
  return all;
}

describe('AcceptHealth', () => {
  it('says nothing while there are descriptors', () => {
    const { clock, lines, fatal } = bed();
    clock.advance(600_000);
    expect([lines, fatal]).to.deep.equal([[], []]);
  });

  it('says once that there are none, counts each look, and says when there are again', () => {
    const all = bed();
    all.exhausted = true;
    all.clock.advance(10_000);
    all.exhausted = false;
    all.clock.advance(1_000);
    expect(all.lines).to.deep.equal([
      'connections cannot be accepted: every new one is closed',
      'connections can be accepted again',
    ]);
    expect([all.failures, all.fatal]).to.deep.equal([10, []]);
  });

  it('gives up when there are none for a minute, once', () => {
    const all = bed();
    all.exhausted = true;
    all.clock.advance(60_000);
    expect(all.fatal).to.deep.equal([]);
    all.clock.advance(60_000);
    expect(all.fatal.map(({ code }) => code)).to.deep.equal(['MESH-CAPTURE-002']);
    expect(all.fatal[0]?.message).to.match(/60000 ms.*EMFILE/);
  });

  it('begins anew when one was free in between', () => {
    const all = bed();
    all.exhausted = true;
    all.clock.advance(40_000);
    all.exhausted = false;
    all.clock.advance(1_000);
    all.exhausted = true;
    all.clock.advance(40_000);
    expect(all.fatal).to.deep.equal([]);
  });

  it('never gives up with a deadline of 0', () => {
    const all = bed(0);
    all.exhausted = true;
    all.clock.advance(3_600_000);
    expect(all.fatal).to.deep.equal([]);
    expect(all.lines).to.have.length(1);
  });

  it('leaves no timer behind', () => {
    const { health, clock } = bed();
    health[Symbol.dispose]();
    expect(clock.pendingTimers).to.equal(0);
  });
});
