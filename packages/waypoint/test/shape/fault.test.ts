import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import type { FaultExperiment } from '@clearmesh/shared/model/l7/fault';
import { identity } from '@clearmesh/shared/testing/builders';
import type { RequestFacts } from '../../src/exchange/request-facts.ts';
import { chooseFault } from '../../src/shape/fault.ts';
import type { FaultScene, FaultTally } from '../../src/shape/fault.ts';
import { compiled, experiment, startMs } from './fault-experiments.ts';
import { request } from './requests.ts';

const drill: FaultScene = { environment: 'test', class: 'standard' };
const always = { unit: () => 0 };

type About = {
  readonly experiments?: readonly FaultExperiment[];
  readonly request?: RequestFacts;
  readonly scene?: Partial<FaultScene>;
  readonly nowMs?: number;
  readonly tallies?: Readonly<Record<string, Partial<FaultTally>>>;
  readonly unit?: number;
};

/** Key of the experiment whose fault the request gets. */
function chosen({
  experiments = [experiment()],
  scene,
  nowMs = startMs,
  tallies = {},
  unit = 0,
  ...about
}: About): string | undefined {
  const known = new Map(Object.entries(tallies).map(([key, tally]) => [key, { active: 0, seen: 0, injected: 0, ...tally }]));
  const { faults } = compiled(...experiments);
  return chooseFault(faults, about.request ?? request(), { ...drill, ...scene }, nowMs, known, { unit: () => unit }).experiment
    ?.key;
}

/** A generator with a seed (mulberry32). */
function seeded(seed: number): { unit(): number } {
  let state = seed;
  return {
    unit: () => {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
    },
  };
}

describe('chooseFault', () => {
  const { key } = experiment();
  const one = { type: 'Exact', name: 'x-drill', value: '1' } as const;
  const table: readonly { readonly title: string; readonly about: About; readonly injects: boolean }[] = [
    { title: 'injects in a test environment', about: {}, injects: true },
    { title: 'injects nothing in production', about: { scene: { environment: 'production' } }, injects: false },
    {
      title: 'injects nothing where the environment is unknown',
      about: { scene: { environment: 'staging' as never } },
      injects: false,
    },
    { title: 'injects nothing into money movement', about: { scene: { class: 'money-movement' } }, injects: false },
    { title: 'injects nothing before the start', about: { nowMs: startMs - 1 }, injects: false },
    { title: 'injects until before the end', about: { nowMs: startMs + 15 * 60_000 - 1 }, injects: true },
    { title: 'injects nothing at the end', about: { nowMs: startMs + 15 * 60_000 }, injects: false },
    { title: 'injects nothing at an unknown time', about: { nowMs: NaN }, injects: false },
    {
      title: 'spares other callers',
      about: { experiments: [experiment({ callers: [identity('bank', 'batch')] })] },
      injects: false,
    },
    {
      title: 'concerns each of its callers',
      about: { experiments: [experiment({ callers: [identity('bank', 'batch'), identity('bank', 'payments')] })] },
      injects: true,
    },
    {
      title: 'concerns requests that any of its matches takes',
      about: {
        experiments: [
          experiment({
            matches: [
              { method: 'GET', headers: [], query: [] },
              { headers: [one], query: [] },
            ],
          }),
        ],
        request: request({ headers: { 'x-drill': '1' } }),
      },
      injects: true,
    },
    {
      title: 'spares requests that none of its matches takes',
      about: { experiments: [experiment({ matches: [{ headers: [one], query: [] }] })] },
      injects: false,
    },
    {
      title: 'injects below its percentage',
      about: { experiments: [experiment({ percent: 50 })], tallies: { [key]: { seen: 1 } }, unit: 0.49 },
      injects: true,
    },
    {
      title: 'spares above its percentage',
      about: { experiments: [experiment({ percent: 50 })], tallies: { [key]: { seen: 1 } }, unit: 0.5 },
      injects: false,
    },
    { title: 'spares at 0 %', about: { experiments: [experiment({ percent: 0 })] }, injects: false },
    {
      title: 'spares the first request where one would be more than its share',
      about: { experiments: [experiment({ percent: 99 })] },
      injects: false,
    },
    {
      title: 'injects below its number at a time',
      about: { tallies: { [key]: { active: 9, seen: 9, injected: 9 } } },
      injects: true,
    },
    {
      title: 'spares at its number at a time',
      about: { tallies: { [key]: { active: 10, seen: 10, injected: 10 } } },
      injects: false,
    },
    {
      title: 'does not run for more than an hour',
      about: { experiments: [experiment({ endsAtMs: startMs + 3_600_001 })] },
      injects: false,
    },
    { title: 'runs for an hour', about: { experiments: [experiment({ endsAtMs: startMs + 3_600_000 })] }, injects: true },
    {
      title: 'does not run when its owner approved it',
      about: { experiments: [experiment({ approver: 'alice' })] },
      injects: false,
    },
    { title: 'does not run without an approver', about: { experiments: [experiment({ approver: '' })] }, injects: false },
    {
      title: 'does not run with a percentage that is none',
      about: { experiments: [experiment({ percent: NaN })] },
      injects: false,
    },
    { title: 'does not run with times that are none', about: { experiments: [experiment({ startsAtMs: NaN })] }, injects: false },
  ];
  for (const { title, about, injects } of table) it(title, () => expect(chosen(about)).to.equal(injects ? key : undefined));

  for (const header of [
    'abort-request',
    'abort-grpc-request',
    'delay-request',
    'throughput-response',
    'abort-request-percentage',
  ])
    it(`takes no orders from x-envoy-fault-${header}`, () => {
      const asked = request({ headers: { [`x-envoy-fault-${header}`]: '100' } });
      expect(chosen({ request: asked, experiments: [] })).to.equal(undefined);
      expect(chosen({ request: asked, experiments: [experiment({ percent: 50 })], unit: 0.9 })).to.equal(undefined);
    });

  it('asks experiments in their order, each with a draw of its own', () => {
    const experiments = [
      experiment({ key: 'FaultExperiment bank/a', percent: 50 }),
      experiment({ key: 'FaultExperiment bank/b' }),
    ];
    const { seen, experiment: first } = chooseFault(
      compiled(...experiments).faults,
      request(),
      drill,
      startMs,
      new Map(),
      always,
    );
    expect(first?.key).to.equal('FaultExperiment bank/b');
    expect(seen.map(({ key }) => key)).to.deep.equal(['FaultExperiment bank/a', 'FaultExperiment bank/b']);
  });

  it('says which experiments it does not run, and why', () =>
    expect(compiled(experiment({ approver: 'alice' })).refused).to.deep.equal([
      'FaultExperiment bank/drill is not run: alice may not approve an own experiment',
    ]));

  for (const percent of [0.1, 1, 5, 50, 100])
    it(`never hurts more than ${percent} % of 100 000 requests, and not many fewer`, () => {
      const { faults } = compiled(experiment({ percent }));
      const random = seeded(percent * 1000);
      const tally = { active: 0, seen: 0, injected: 0 };
      const tallies = new Map([[key, tally]]);
      const facts = request();
      for (let count = 1; count <= 100_000; count++) {
        const choice = chooseFault(faults, facts, drill, startMs, tallies, random);
        tally.seen += 1;
        if (choice.experiment !== undefined) tally.injected += 1;
        if (tally.injected * 100 > percent * tally.seen) expect.fail(`${tally.injected} of ${tally.seen}`);
      }
      const wanted = percent * 1000;
      // A walk that may not rise above its mean stays below it by some standard deviations.
      expect(tally.injected).to.be.within(wanted - 4 * Math.sqrt(wanted) - 1, wanted);
    });

  it('injects nothing in production, whatever is configured', () => {
    fc.assert(
      fc.property(fc.double(), fc.integer(), fc.double(), (percent, nowMs, unit) => {
        expect(chosen({ experiments: [experiment({ percent })], nowMs, unit, scene: { environment: 'production' } })).to.equal(
          undefined,
        );
      }),
    );
  });
});
