import { expect } from 'chai';
import { describe, it } from 'mocha';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import type { Step } from '../../src/demo/step.ts';
import { walk } from '../../src/demo/walk.ts';
import type { World } from '../../src/demo/world.ts';

type Toy = Pick<World, 'clock'>;
const never = new AbortController().signal;

const step = (name: string, check: Step<Toy>['check']): Step<Toy> => ({ name, why: 'because', check });
const waits = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });

describe('walk', () => {
  it('takes every step in order and reports each as it ends', async () => {
    const seen: string[] = [];
    const clock = new FakeClock();
    const steps = [
      step('one', () => {
        clock.advance(1500);
        return Promise.resolve({ ok: true, facts: ['a', 'b'] });
      }),
      step('two', () => Promise.resolve({ ok: false, facts: ['c'] })),
    ];
    const reports = await walk({ clock }, { steps, onStep: ({ name }, number) => seen.push(`${number} ${name}`) }, never);
    expect(reports).to.deep.equal([
      { name: 'one', why: 'because', ok: true, evidence: 'a; b', durationMs: 1500 },
      { name: 'two', why: 'because', ok: false, evidence: 'c', durationMs: 0 },
    ]);
    expect(seen).to.deep.equal(['1 one', '2 two']);
  });

  it('hands on the trace of a step', async () => {
    const trace = { traceId: 't', spans: [], connections: [] };
    const steps = [step('one', () => Promise.resolve({ ok: true, facts: ['a'], trace }))];
    const [report] = await walk({ clock: new FakeClock() }, { steps }, never);
    expect(report!.trace).to.equal(trace);
  });

  it('goes on after a step that throws, whose message is the evidence', async () => {
    const steps = [
      step('bad', () => Promise.reject(new Error('no ledger'))),
      step('good', () => Promise.resolve({ ok: true, facts: ['x'] })),
    ];
    const reports = await walk({ clock: new FakeClock() }, { steps }, never);
    expect(reports.map(({ ok, evidence }) => [ok, evidence])).to.deep.equal([
      [false, 'no ledger'],
      [true, 'x'],
    ]);
  });

  it('ends a step that takes too long', async () => {
    const clock = new FakeClock();
    const slow = step('slow', (_world, signal) => {
      queueMicrotask(() => clock.advance(2000));
      return waits(signal);
    });
    const [report] = await walk({ clock }, { steps: [slow], stepLimitMs: 2000 }, never);
    expect([report!.ok, report!.evidence]).to.deep.equal([false, 'not done within 2 s']);
  });

  it('ends with the reason of its signal', async () => {
    const stop = new AbortController();
    const slow = step('slow', (_world, signal) => {
      queueMicrotask(() => stop.abort(new Error('Ctrl-C')));
      return waits(signal);
    });
    const reason = await walk({ clock: new FakeClock() }, { steps: [slow] }, stop.signal).catch((error: Error) => error.message);
    expect(reason).to.equal('Ctrl-C');
  });
});
