import { expect } from 'chai';
import { array, assert, asyncProperty, constantFrom, integer, record } from 'fast-check';
import { describe, it } from 'mocha';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { decideLease } from '../../src/lead/lease-decision.ts';
import { LeaderElection } from '../../src/lead/leader-election.ts';
import type { ApiAnswer } from '../../src/kubernetes/api-answer.ts';
import type { ApiCall } from '../../src/kubernetes/api-client.ts';
import type { Lease } from '../../src/lead/lease.ts';

type Body = { readonly metadata: { readonly resourceVersion?: string }; readonly spec: Readonly<Record<string, unknown>> };

/** The one Lease of a server, with its optimistic lock. */
class LeasePeer {
  stored: Body | undefined;
  #version = 0;
  writes = 0;
  /** Replicas that reach nobody. */
  readonly cutOff = new Set<string>();

  call<T>(who: string, { method = 'GET', body }: ApiCall): Promise<ApiAnswer<T>> {
    return Promise.resolve(this.#answer(who, method, body as Body) as ApiAnswer<T>);
  }

  get holder(): unknown {
    return this.stored?.spec['holderIdentity'];
  }

  #answer(who: string, method: string, body: Body): ApiAnswer {
    if (this.cutOff.has(who)) return { kind: 'unreachable', message: 'connect ECONNREFUSED' };
    if (method === 'GET') return this.stored === undefined ? refused(404) : { kind: 'ok', body: this.stored };
    if (method === 'POST' && this.stored !== undefined) return refused(409);
    if (method === 'PUT' && this.stored?.metadata.resourceVersion !== body.metadata.resourceVersion) return refused(409);
    this.#version += 1;
    this.writes += 1;
    this.stored = { ...body, metadata: { ...body.metadata, resourceVersion: String(this.#version) } };
    return { kind: 'ok', body: this.stored };
  }
}

function refused(status: number): ApiAnswer {
  return { kind: 'refused', status, reason: '', message: '' };
}

class Replica implements AsyncDisposable {
  readonly election: LeaderElection;
  readonly terms: AbortSignal[] = [];
  ended = 0;

  constructor(name: string, peer: LeasePeer, clock: FakeClock) {
    this.election = new LeaderElection(
      { lease: { namespace: 'clearmesh-system', name: 'clearmesh-status' }, identity: name },
      {
        api: { call: (call) => peer.call(name, call) },
        clock,
        random: new FakeRandom([0]),
        logger: silentLogger,
        lead: (signal) => {
          this.terms.push(signal);
          return {
            [Symbol.asyncDispose]: () => {
              this.ended += 1;
              return Promise.resolve();
            },
          };
        },
      },
    );
    this.election.start();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.election[Symbol.asyncDispose]();
  }
}

/** All promises that are due. */
async function settled(): Promise<void> {
  await new Promise((resolve) => void setImmediate(resolve));
}

async function pass(clock: FakeClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 500) {
    clock.advance(Math.min(500, ms - passed));
    await settled();
  }
}

describe('LeaderElection', () => {
  it('makes one of two replicas the leader, and keeps it', async () => {
    const [peer, clock] = [new LeasePeer(), new FakeClock()];
    await using a = new Replica('a', peer, clock);
    await settled();
    await using b = new Replica('b', peer, clock);
    await pass(clock, 60_000);
    expect([a.election.leading, b.election.leading]).to.deep.equal([true, false]);
    expect(a.terms).to.have.length(1);
    expect(peer.stored?.spec).to.deep.include({ holderIdentity: 'a', leaseDurationSeconds: 15, leaseTransitions: 0 });
    expect(peer.stored?.spec['acquireTime']).to.equal('2026-01-01T00:00:00.000000Z');
    expect(peer.stored?.spec['renewTime']).to.equal('2026-01-01T00:01:00.000000Z');
  });

  it('stops by itself before another can lead, when it reaches nobody', async () => {
    const [peer, clock] = [new LeasePeer(), new FakeClock()];
    await using a = new Replica('a', peer, clock);
    await settled();
    await using b = new Replica('b', peer, clock);
    await pass(clock, 4000);
    peer.cutOff.add('a');
    await pass(clock, 9500);
    expect([a.election.leading, b.election.leading]).to.deep.equal([true, false]);
    await pass(clock, 500);
    expect([a.election.leading, b.election.leading]).to.deep.equal([false, false]);
    expect(a.terms[0]?.aborted).to.equal(true);
    await pass(clock, 10_000);
    expect([a.election.leading, b.election.leading]).to.deep.equal([false, true]);
    expect(peer.stored?.spec['leaseTransitions']).to.equal(1);
    peer.cutOff.delete('a');
    await pass(clock, 10_000);
    expect([a.election.leading, b.election.leading]).to.deep.equal([false, true]);
  });

  it('gives the lease back when it stops, after its work has ended', async () => {
    const [peer, clock] = [new LeasePeer(), new FakeClock()];
    const a = new Replica('a', peer, clock);
    await settled();
    await using b = new Replica('b', peer, clock);
    await settled();
    await a[Symbol.asyncDispose]();
    expect(a.ended).to.equal(1);
    expect(peer.holder).to.equal('');
    await pass(clock, 2000);
    expect(b.election.leading).to.equal(true);
  });

  it('leaves a lease alone that is another’s, and no timer behind', async () => {
    const [peer, clock] = [new LeasePeer(), new FakeClock()];
    await using _a = new Replica('a', peer, clock);
    await settled();
    const before = clock.pendingTimers;
    for (let round = 0; round < 10; round++) {
      await using _b = new Replica('b', peer, clock);
      await settled();
    }
    expect(peer.writes).to.equal(1);
    expect(clock.pendingTimers).to.equal(before);
  });

  it('never has two leaders, whoever is cut off when', async () => {
    const names = ['a', 'b', 'c'];
    const event = record({
      who: constantFrom(...names),
      cut: constantFrom(true, false),
      waitMs: integer({ min: 0, max: 12_000 }),
    });
    await assert(
      asyncProperty(array(event, { maxLength: 12 }), async (events) => {
        const [peer, clock] = [new LeasePeer(), new FakeClock()];
        const replicas = names.map((name) => new Replica(name, peer, clock));
        for (const { who, cut, waitMs } of events) {
          if (cut) peer.cutOff.add(who);
          else peer.cutOff.delete(who);
          for (let passed = 0; passed < waitMs; passed += 500) {
            await pass(clock, 500);
            expect(replicas.filter(({ election }) => election.leading).length).to.be.at.most(1);
          }
        }
        peer.cutOff.clear();
        await pass(clock, 30_000);
        expect(replicas.filter(({ election }) => election.leading)).to.have.length(1);
        await Promise.all(replicas.map((replica) => replica[Symbol.asyncDispose]()));
        expect(clock.pendingTimers).to.equal(0);
      }),
      { numRuns: 30 },
    );
  });
});

describe('decideLease', () => {
  const lease: Lease = { resourceVersion: '1', holder: 'a', durationMs: 15_000, acquireTime: '', transitions: 0 };
  for (const [title, view, identity, step] of [
    ['makes a lease that is not there', { lease: undefined, unchangedMs: 0 }, 'a', 'create'],
    ['renews its own', { lease, unchangedMs: 99_000 }, 'a', 'renew'],
    ['waits for another’s', { lease, unchangedMs: 14_999 }, 'b', 'wait'],
    ['takes another’s after its end', { lease, unchangedMs: 15_000 }, 'b', 'take'],
    ['takes one that was given back', { lease: { ...lease, holder: '' }, unchangedMs: 0 }, 'b', 'take'],
  ] as const) {
    it(title, () => {
      expect(decideLease(view, identity)).to.equal(step);
    });
  }
});
