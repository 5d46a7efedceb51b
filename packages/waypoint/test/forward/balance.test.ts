import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { chooseBalanced, costOf, newLoad, recordPenalty, recordRtt } from '../../src/forward/balance.ts';
import type { Load } from '../../src/forward/balance.ts';

const decayMs = 10_000;
const host = (name: string, ewmaMs: number, inFlight = 0) => ({ name, load: { ewmaMs, atMs: 0, inFlight } satisfies Load });

describe('peak EWMA (B5)', () => {
  it('jumps to a sample above what is left of the average', () => {
    const load = newLoad(30, 0);
    recordRtt(load, 200, 100, decayMs);
    expect(load).to.deep.equal({ ewmaMs: 200, atMs: 100, inFlight: 0 });
  });

  it('approaches a lower sample with its time constant', () => {
    const load = newLoad(100, 0);
    recordRtt(load, 10, decayMs, decayMs);
    expect(load.ewmaMs).to.be.closeTo(100 / Math.E + 10 * (1 - 1 / Math.E), 1e-9);
  });

  it('weighs the average with what is in flight', () => {
    expect(costOf({ ewmaMs: 10, atMs: 0, inFlight: 3 }, 0, decayMs)).to.equal(40);
  });

  it('forgets a penalty while nothing is sent', () => {
    const load = newLoad(30, 0);
    recordPenalty(load, 0, 0, decayMs);
    expect(costOf(load, 60_000, decayMs)).to.be.below(30);
  });

  const penalties = [
    { title: 'at least five seconds', before: 30, retryAfterMs: 0, gives: 5_000 },
    { title: 'what the endpoint asks for', before: 30, retryAfterMs: 20_000, gives: 20_000 },
    { title: 'no more than 300 s of what it asks for', before: 30, retryAfterMs: 3_600_000, gives: 300_000 },
    { title: 'the average, if that is more', before: 400_000, retryAfterMs: 20_000, gives: 400_000 },
  ];
  for (const { title, before, retryAfterMs, gives } of penalties) {
    it(`counts a failure as ${title}`, () => {
      const load = newLoad(before, 0);
      recordPenalty(load, retryAfterMs, 0, decayMs);
      expect(load.ewmaMs).to.equal(gives);
    });
  }

  it('stays between 0 and the largest sample, whatever the times', () => {
    const samples = fc.array(fc.record({ rttMs: fc.double({ min: 0, max: 1e6, noNaN: true }), afterMs: fc.nat(100_000) }), {
      minLength: 1,
    });
    fc.assert(
      fc.property(samples, (list) => {
        const load = newLoad(30, 0);
        let nowMs = 0;
        let largest = 30;
        for (const { rttMs, afterMs } of list) {
          nowMs += afterMs;
          largest = Math.max(largest, rttMs);
          recordRtt(load, rttMs, nowMs, decayMs);
          expect(load.ewmaMs).to.be.within(0, largest * (1 + 1e-9));
          // The last sample is never underrated by more than what is still to be learned of it.
          expect(load.ewmaMs).to.be.at.least(rttMs * (1 - Math.exp(-afterMs / decayMs)) * (1 - 1e-9));
        }
      }),
    );
  });
});

describe('power of two choices (B5, B3)', () => {
  it('takes the cheaper of two', () => {
    const hosts = [host('slow', 100), host('fast', 10)];
    expect(chooseBalanced(hosts, [], 0, decayMs, new FakeRandom([0, 0]))?.name).to.equal('fast');
  });

  it('draws two distinct candidates, each equally often', () => {
    const hosts = [host('a', 1), host('b', 1), host('c', 1), host('d', 1)];
    const seen = new Map<string, number>();
    for (let draw = 0; draw < 8_000; draw++) {
      const name = chooseBalanced(hosts, [], 0, decayMs, systemRandom)?.name ?? '';
      seen.set(name, (seen.get(name) ?? 0) + 1);
    }
    for (const { name } of hosts) expect(seen.get(name)).to.be.within(1_700, 2_300);
  });

  it('never chooses the dearest of several', () => {
    const hosts = [host('a', 1), host('b', 2), host('dear', 3)];
    for (let draw = 0; draw < 500; draw++) {
      expect(chooseBalanced(hosts, [], 0, decayMs, systemRandom)?.name).to.not.equal('dear');
    }
  });

  it('finds the one that was not tried, however dear', () => {
    const hosts = [host('a', 1), host('b', 1), host('dear', 1_000)];
    expect(chooseBalanced(hosts, hosts.slice(0, 2), 0, decayMs, systemRandom)?.name).to.equal('dear');
  });

  it('repeats one if all were tried, and has none without candidates', () => {
    const hosts = [host('a', 1), host('b', 1)];
    expect(chooseBalanced(hosts, hosts, 0, decayMs, systemRandom)).to.not.equal(undefined);
    expect(chooseBalanced([], [], 0, decayMs, systemRandom)).to.equal(undefined);
  });

  it('takes a single candidate at once', () => {
    const only = host('only', 5_000);
    expect(chooseBalanced([only], [], 0, decayMs, systemRandom)).to.equal(only);
  });
});
