import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { FaultExperiment } from '@clearmesh/shared/model/l7/fault';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { failureTable } from '../../src/exchange/failure.ts';
import type { RequestFacts } from '../../src/exchange/request-facts.ts';
import type { FaultScene } from '../../src/shape/fault.ts';
import { FaultInjector } from '../../src/shape/fault-injector.ts';
import type { ActiveFault, FaultStep } from '../../src/shape/fault-injector.ts';
import { compiled, experiment } from './fault-experiments.ts';
import { request } from './requests.ts';

const drill: FaultScene = { environment: 'test', class: 'standard' };
const { signal: patient } = new AbortController();

function injecting(...experiments: readonly FaultExperiment[]) {
  const clock = new FakeClock();
  const injector = new FaultInjector({ clock, random: { unit: () => 0 } });
  const faults = compiled(...experiments);
  const maybe = (facts: RequestFacts = request(), scene: FaultScene = drill): ActiveFault | undefined =>
    injector.begin(faults, facts, scene);
  const begin = (facts?: RequestFacts): ActiveFault => {
    const fault = maybe(facts);
    if (fault === undefined) throw new Error('no fault');
    return fault;
  };
  return { clock, injector, maybe, begin };
}

/** The step, if it is known by now. */
async function settled(step: Promise<FaultStep>): Promise<FaultStep | 'waiting'> {
  return Promise.race([step, turn().then(() => 'waiting' as const)]);
}

async function textOf(body: Readable): Promise<string> {
  let text = '';
  for await (const chunk of body) text += String(chunk);
  return text;
}

describe('FaultInjector', () => {
  describe('aborts', () => {
    it('with the status and the name of the experiment', async () => {
      using fault = injecting(experiment({ abort: { status: 418, grpcStatus: 5 } })).begin();
      expect(await fault.before(patient)).to.deep.equal({
        kind: 'refused',
        failure: {
          kind: 'fault-injected',
          detail: 'FaultExperiment bank/drill, a drill, aborts this request',
          policy: 'FaultExperiment bank/drill',
          headers: { 'x-mesh-fault': 'FaultExperiment bank/drill' },
          status: 418,
        },
      });
      expect(fault.flag).to.equal('FI');
    });

    for (const [abort, gives] of [
      [{ status: 200, grpcStatus: 8 }, 8],
      [{ status: 401 }, 16],
      [{ status: 404 }, 12],
      [{ status: 503 }, 14],
      [{ status: 500 }, 2],
    ] as const)
      it(`gRPC with ${gives} for ${JSON.stringify(abort)}`, async () => {
        using fault = injecting(experiment({ abort })).begin(request({ grpc: true }));
        const step = await fault.before(patient);
        expect(step).to.have.nested.property('failure.grpcStatus', gives);
        expect(step).to.not.have.nested.property('failure.status');
      });

    it('without any effect on breaker and endpoints', () =>
      expect(failureTable['fault-injected']).to.include({ breaker: 'neutral', outlier: 'neutral', outcome: 'not-dispatched' }));
  });

  it('resets', async () => {
    using fault = injecting(experiment({ reset: true })).begin();
    expect(await fault.before(patient))
      .to.include({ kind: 'reset' })
      .and.to.have.nested.property('failure.kind', 'fault-injected');
  });

  describe('delays', () => {
    it('for as long as it says, and lets the request go on', async () => {
      const { clock, begin } = injecting(experiment({ delayMs: 200 }));
      using fault = begin();
      const step = fault.before(patient);
      clock.advance(199);
      expect(await settled(step)).to.equal('waiting');
      clock.advance(1);
      expect(await settled(step)).to.deep.equal({ kind: 'continue' });
      expect(fault.flag).to.equal('DI');
    });

    it('before it aborts', async () => {
      const { clock, begin } = injecting(experiment({ delayMs: 200, abort: { status: 500 } }));
      using fault = begin();
      const step = fault.before(patient);
      expect(await settled(step)).to.equal('waiting');
      clock.advance(200);
      expect(await settled(step)).to.have.nested.property('failure.status', 500);
    });

    it('until the caller goes', async () => {
      const { clock, begin } = injecting(experiment({ delayMs: 200 }));
      const caller = new AbortController();
      const fault = begin();
      const step = fault.before(caller.signal);
      caller.abort(new Error('gone'));
      expect(await settled(step)).to.deep.equal({ kind: 'aborted' });
      fault[Symbol.dispose]();
      expect(clock.pendingTimers).to.equal(0);
    });

    it('not at all for a caller that has gone', async () => {
      using fault = injecting(experiment({ delayMs: 200 })).begin();
      expect(await settled(fault.before(AbortSignal.abort()))).to.deep.equal({ kind: 'aborted' });
    });

    it('until the experiment ends, and hurts nobody afterwards', async () => {
      const { clock, begin } = injecting(experiment({ delayMs: 3_600_000, abort: { status: 500 } }));
      using fault = begin();
      const step = fault.before(patient);
      clock.advance(15 * 60_000 - 1);
      expect(await settled(step)).to.equal('waiting');
      clock.advance(1);
      expect(await settled(step)).to.deep.equal({ kind: 'continue' });
    });

    it('until the experiment is withdrawn', async () => {
      const { injector, begin } = injecting(experiment({ delayMs: 60_000, reset: true }));
      using fault = begin();
      const step = fault.before(patient);
      injector.keepOnly(new Set([fault.experiment]));
      expect(await settled(step)).to.equal('waiting');
      injector.keepOnly(new Set());
      expect(await settled(step)).to.deep.equal({ kind: 'continue' });
    });
  });

  describe('throttles', () => {
    const slow = experiment({ throttleKibPerSecond: 1 });

    it('the body of the answer', async () => {
      const { clock, begin } = injecting(slow);
      using fault = begin();
      expect(await fault.before(patient)).to.deep.equal({ kind: 'continue' });
      const text = textOf(fault.paced(Readable.from([Buffer.alloc(2048, 'a')])));
      for (let count = 0; count < 21; count++) {
        await turn();
        clock.advance(100);
      }
      expect(await text).to.equal('a'.repeat(2048));
    });

    it('no body where it is no throttle', () => {
      using fault = injecting(experiment()).begin();
      const body = Readable.from([]);
      expect(fault.paced(body)).to.equal(body);
    });

    it('no longer once the experiment is withdrawn', async () => {
      const { injector, begin } = injecting(slow);
      using fault = begin();
      const text = textOf(fault.paced(Readable.from([Buffer.alloc(1_000_000, 'a')])));
      await turn();
      injector.keepOnly(new Set());
      expect(await text).to.have.lengthOf(1_000_000);
      const body = Readable.from([]);
      expect(fault.paced(body)).to.equal(body);
    });

    it('and hands on that the body broke off', async () => {
      using fault = injecting(slow).begin();
      const body = new Readable({ read: () => undefined });
      const paced = fault.paced(body);
      const failed = textOf(paced).catch((error: unknown) => error);
      body.destroy(new Error('broken'));
      expect(await failed).to.have.property('message', 'broken');
    });

    it('and ends the body when the reader goes', async () => {
      using fault = injecting(slow).begin();
      const body = new Readable({ read: () => undefined });
      fault
        .paced(body)
        .on('error', () => undefined)
        .destroy();
      await turn();
      expect(body.destroyed).to.equal(true);
    });
  });

  describe('counts', () => {
    it('faults at a time over all services, and spares the rest', () => {
      const { injector, maybe } = injecting(experiment({ maxActive: 2, delayMs: 1 }));
      const first = maybe();
      const second = maybe();
      expect(maybe()).to.equal(undefined);
      expect(injector.active).to.equal(2);
      first?.[Symbol.dispose]();
      first?.[Symbol.dispose]();
      expect(injector.active).to.equal(1);
      const third = maybe();
      expect(third).to.not.equal(undefined);
      expect(maybe()).to.equal(undefined);
      second?.[Symbol.dispose]();
      third?.[Symbol.dispose]();
      expect(injector.active).to.equal(0);
    });

    it('the share of requests', () => {
      const { maybe } = injecting(experiment({ percent: 25 }));
      const hurt = Array.from({ length: 100 }, () => {
        using fault = maybe();
        return fault !== undefined;
      });
      expect(hurt.filter(Boolean)).to.have.lengthOf(25);
      expect(hurt.slice(0, 3)).to.deep.equal([false, false, false]);
    });

    it('nothing in production', () =>
      expect(injecting(experiment()).maybe(request(), { ...drill, environment: 'production' })).to.equal(undefined));

    it('down to none, however requests end', async () => {
      const { clock, injector, begin } = injecting(
        experiment({ delayMs: 100, throttleKibPerSecond: 1, maxActive: 1000, endsAtMs: experiment().startsAtMs + 60_000 }),
      );
      const ends: ((fault: ActiveFault) => Promise<unknown>)[] = [
        async () => undefined,
        async (fault) => fault.before(AbortSignal.abort()),
        async (fault) => {
          const caller = new AbortController();
          const step = fault.before(caller.signal);
          caller.abort();
          return step;
        },
        async (fault) => {
          const step = fault.before(patient);
          clock.advance(100);
          return step;
        },
        async (fault) => {
          const body = new Readable({ read: () => undefined });
          const text = textOf(fault.paced(body)).catch(() => undefined);
          body.destroy(new Error('broken'));
          return text;
        },
        async (fault) => {
          const paced = fault.paced(Readable.from([Buffer.alloc(10_000)]));
          paced.resume();
          await turn();
          paced.destroy();
        },
        async () => {
          throw new Error('the exchange fails');
        },
      ];
      for (let round = 0; round < 20; round++)
        for (const end of ends)
          try {
            using fault = begin();
            await end(fault);
          } catch (error) {
            expect(error).to.have.property('message', 'the exchange fails');
          }
      expect(injector.active).to.equal(0);
      expect(clock.pendingTimers).to.equal(0);
    });
  });
});
