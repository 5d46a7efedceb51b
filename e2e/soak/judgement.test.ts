import { expect } from 'chai';
import { describe, it } from 'mocha';
import { excuseOf } from './excuse.ts';
import type { Disturbance, Failure } from './excuse.ts';
import { levelOf, slope } from './level.ts';
import type { Sample } from './level.ts';
import { complaintsOf, formatSummary } from './report.ts';
import type { Summary } from './soak.ts';

const restart: Disturbance = { name: 'ztunnel node-a', fromMs: 1_000, toMs: 9_000, drainMs: 5_000, excuses: ['bulk'] };
const failure: Failure = { load: 'bulk', wrong: false, midway: false, startedMs: 2_000, atMs: 3_000, reason: 'ECONNRESET' };
const mib = 1_048_576;
const held = (pid: number, minute: number, residentMib: number, descriptors = 30): Sample => ({
  name: 'ztunnel node-a',
  pid,
  atMs: minute * 60_000,
  residentBytes: residentMib * mib,
  descriptors,
});
const good: Summary = {
  seed: 1,
  seconds: 60,
  counts: { 'http-fresh': 1, 'http-kept': 1, grpc: 1, bulk: 1, direct: 1 },
  excused: { bulk: 2 },
  failures: [],
  disturbances: [restart],
  certificates: 6,
  levels: [levelOf(held(1, 0, 100), held(1, 1, 100), [])],
};

describe('a failure under load', () => {
  for (const [what, excused, changes] of [
    ['within the time of what explains it', true, {}],
    ['that began before it and ended within', true, { startedMs: 0 }],
    ['that began within and ended after it', true, { atMs: 12_000 }],
    ['before it', false, { startedMs: 0, atMs: 999 }],
    ['after it', false, { startedMs: 9_001, atMs: 9_500 }],
    ['of a load that it must not touch', false, { load: 'http-fresh' }],
    ['that was cut midway before the drain was over', false, { midway: true, startedMs: 0 }],
    ['that was cut midway when the drain was over', true, { midway: true, startedMs: 0, atMs: 6_100 }],
    ['that was cut midway, and begun while the drain went on', true, { midway: true }],
    ['whose answer was wrong', false, { wrong: true }],
  ] as const) {
    it(`is ${excused ? '' : 'not '}explained ${what}`, () => {
      expect(excuseOf({ ...failure, ...changes }, [restart])).to.equal(excused ? restart : undefined);
    });
  }

  it('is explained by what goes on still', () => {
    const going = { ...restart, toMs: undefined };
    expect(excuseOf({ ...failure, startedMs: 90_000, atMs: 91_000 }, [going])).to.equal(going);
  });
});

describe('what a process holds', () => {
  it('is level when it breathes', () => {
    expect(levelOf(held(1, 0, 200), held(1, 5, 350, 40), []).complaint).to.equal('');
  });

  it('is not when memory or descriptors grow', () => {
    expect(levelOf(held(1, 0, 200), held(1, 5, 400), []).complaint).to.equal('memory grew by 200 MiB');
    expect(levelOf(held(1, 0, 200), held(1, 5, 200, 90), []).complaint).to.equal('60 descriptors more');
  });

  it('has the slope of the process that ran last', () => {
    const samples = [held(1, 0, 900), held(2, 1, 100, 30), held(2, 2, 110, 31), held(2, 3, 120, 32)];
    const level = levelOf(held(1, 0, 100), held(2, 3, 120), samples);
    expect(level.mibPerMinute).to.be.closeTo(10, 1e-6);
    expect(level.descriptorsPerMinute).to.be.closeTo(1, 1e-6);
    expect(level.generations).to.equal(2);
  });

  it('has no slope of two points, or of one moment', () => {
    expect([
      slope([
        [0, 1],
        [1, 9],
      ]),
      slope([
        [1, 1],
        [1, 5],
        [1, 9],
      ]),
    ]).to.deep.equal([0, 0]);
  });
});

describe('the report of a soak', () => {
  it('says that it passed, with every load, disturbance and process', () => {
    expect(complaintsOf(good)).to.deep.equal([]);
    const text = formatSummary(good);
    expect(text).to.match(/^bulk +1 +2 +0$/m);
    expect(text).to.match(/^ztunnel node-a +1$/m);
    expect(text).to.match(/^certificates issued +6$/m);
    expect(text).to.match(/^ztunnel node-a +100 +100 +\+0\.0/m);
    expect(text).to.contain('passed');
  });

  for (const [what, complaint, changes] of [
    ['an unexplained failure', 'bulk: failed, and nothing explains it: ECONNRESET', { failures: [failure] }],
    ['a wrong answer', 'bulk: a wrong answer: ECONNRESET', { failures: [{ ...failure, wrong: true }] }],
    ['a load that got nothing', 'grpc: nothing was ever answered', { counts: { ...good.counts, grpc: 0 } }],
    ['growth', 'ztunnel node-a: memory grew by 200 MiB', { levels: [levelOf(held(1, 0, 200), held(1, 5, 400), [])] }],
  ] as const) {
    it(`names ${what}`, () => {
      const summary = { ...good, ...changes };
      expect(complaintsOf(summary).join('\n')).to.contain(complaint);
      expect(formatSummary(summary)).to.contain('failed:');
    });
  }

  it('shows twenty failures, and counts the others', () => {
    const complaints = complaintsOf({ ...good, failures: Array.from({ length: 25 }, () => failure) });
    expect(complaints).to.have.length(21);
    expect(complaints.at(-1)).to.equal('and 5 failures more');
  });
});
