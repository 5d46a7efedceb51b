import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import type { PodConnections } from '../../src/capture/pod-connections.ts';
import { OlderConnections } from '../../src/capture/older-connections.ts';
import { CaptureBed, nodePod } from './capture-bed.ts';

const none: PodConnections = { outside: [], direct: [], proxied: 0 };
const ledger = (connections: number): object => ({ namespace: 'bank', name: 'a', connections });

describe('connections from before a capture', () => {
  let bed: CaptureBed;
  beforeEach(() => {
    bed = new CaptureBed();
  });
  afterEach(async () => {
    await bed[Symbol.asyncDispose]();
    expect(bed.clock.pendingTimers).to.equal(0);
  });

  async function join(): Promise<void> {
    bed.open = { outside: ['out 1', 'in 1'], direct: ['in 1'], proxied: 0 };
    bed.captures.enrol(nodePod(), {});
    await bed.settle();
    // While others learn of it, it takes plaintext on.
    bed.open = { outside: ['out 1', 'in 1', 'in 2', 'tunnel'], direct: ['in 1', 'in 2'], proxied: 2 };
    await bed.pass(1_000);
  }

  it('are those that its redirection came too late for, each way', async () => {
    await join();
    expect(bed.captures.countOlder()).to.deep.equal([ledger(3)]);
  });

  it('are counted when somebody asks, and not again within five seconds', async () => {
    await join();
    const { looks } = bed;
    bed.open = { ...none, outside: ['in 2', 'tunnel', 'later'] };
    await bed.pass(60_000);
    expect(bed.looks, 'without an ask').to.equal(looks);
    expect(bed.captures.countOlder()).to.deep.equal([ledger(1)]);
    bed.open = none;
    await bed.pass(4_999);
    expect(bed.captures.countOlder()).to.deep.equal([ledger(1)]);
    expect(bed.looks).to.equal(looks + 1);
    await bed.pass(1);
    expect(bed.captures.countOlder()).to.deep.equal([]);
  });

  it('are not looked for any more when all have ended', async () => {
    await join();
    bed.open = none;
    await bed.pass(5_000);
    bed.captures.countOlder();
    const { looks } = bed;
    bed.open = { ...none, outside: ['in 2'] };
    await bed.pass(60_000);
    expect([bed.captures.countOlder(), bed.looks]).to.deep.equal([[], looks]);
  });

  it('are known after a repair, and of a restarted agent as far as they came directly', async () => {
    await join();
    bed.rules = 'old';
    await bed.captures.verify(new AbortController().signal);
    await bed.settle();
    expect(bed.captures.countOlder()).to.deep.equal([ledger(3)]);
    await using next = new CaptureBed();
    next.rules = 'all';
    next.open = bed.open;
    next.captures.enrol(nodePod({ annotations: { 'ambient.istio.io/redirection': 'enabled' } }), {});
    await next.settle();
    expect(next.captures.countOlder()).to.deep.equal([ledger(2)]);
  });

  it('of many pods are counted for 64 of them at one ask, and for all in turn', async () => {
    bed.open = { outside: ['out 1'], direct: [], proxied: 0 };
    for (let pod = 0; pod < 150; pod++) bed.captures.enrol(nodePod({ uid: `uid-${pod}`, name: `p${pod}` }), {});
    await bed.settle();
    bed.open = { outside: ['out 1'], direct: [], proxied: 1 };
    await bed.pass(1_000);
    bed.open = none;
    await bed.pass(5_000);
    const seen: (readonly [pods: number, looks: number])[] = [];
    for (let ask = 0; ask < 3; ask++) {
      const { looks } = bed;
      const { length } = bed.captures.countOlder();
      seen.push([length, bed.looks - looks]);
    }
    expect(seen).to.deep.equal([
      [86, 64],
      [22, 64],
      [0, 22],
    ]);
  });

  it('are followed up to ten thousand', () => {
    const many = Array.from({ length: 10_500 }, (_, index) => `out ${index}`);
    const older = new OlderConnections(many, 0);
    older.add(['in']);
    expect(older.count).to.equal(10_000);
  });
});
