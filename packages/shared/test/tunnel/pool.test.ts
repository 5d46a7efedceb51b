import { FakeClock } from '../../src/testing/fake-clock.ts';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { TunnelPool } from '../../src/tunnel/pool.ts';
import type { PoolMember, PoolOptions } from '../../src/tunnel/pool.ts';

class Member implements PoolMember {
  activeStreams = 0;
  peerMaxStreams = Infinity;
  usable = true;
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

type Bed = {
  readonly pool: TunnelPool<Member>;
  readonly clock: FakeClock;
  readonly retired: string[];
  readonly members: Map<string, Member>;
  open(key?: string): string;
};

/** `open` does what a dialer does, without waiting: it makes tunnels t1, t2 … when told to, and opens a stream. */
function bed(options: PoolOptions = {}): Bed {
  const clock = new FakeClock();
  const retired: string[] = [];
  const pool = new TunnelPool<Member>(options, { clock, retire: ({ name }) => retired.push(name) });
  const members: Bed['members'] = new Map();
  const open = (key = 'a'): string => {
    for (;;) {
      const checkout = pool.checkout(key);
      if (checkout.kind === 'wait') throw new Error('nobody is making one');
      if (checkout.kind === 'connect') {
        const member = new Member(`t${members.size + 1}`);
        members.set(member.name, member);
        pool.recvConnected(key, member);
        continue;
      }
      checkout.member.activeStreams += 1;
      if (checkout.last) retired.push(checkout.member.name);
      return checkout.member.name;
    }
  };
  return { pool, clock, retired, members, open };
}

function use(pool: TunnelPool<Member>, key: string): Member {
  const checkout = pool.checkout(key);
  if (checkout.kind !== 'use') throw new Error(`not in the pool: ${checkout.kind}`);
  return checkout.member;
}

describe('TunnelPool', () => {
  it('makes one tunnel for several who ask at once (P1)', () => {
    const { pool } = bed();
    expect(pool.checkout('a').kind).to.equal('connect');
    expect(pool.checkout('a').kind).to.equal('wait');
    expect(pool.checkout('a').kind).to.equal('wait');
    expect(pool.checkout('b').kind).to.equal('connect');
    const member = new Member('t1');
    pool.recvConnected('a', member);
    expect([use(pool, 'a'), use(pool, 'a'), use(pool, 'a')]).to.deep.equal([member, member, member]);
  });

  it('lets the next one try after a failure', () => {
    const { pool } = bed();
    pool.checkout('a');
    pool.recvFailed('a');
    expect(pool.checkout('a').kind).to.equal('connect');
  });

  it('keeps keys apart', () => {
    const { open } = bed();
    expect([open('a'), open('b'), open('a'), open('b')]).to.deep.equal(['t1', 't2', 't1', 't2']);
  });

  it('spreads streams as upstream was seen to (P2): full tunnels are never offered again', () => {
    // seen.json "spread of 9 held streams at limit 4 (after 3 finished)": [7,4,1]; one more goes to the third.
    const { members, open } = bed({ maxStreams: 4 });
    const finishAll = (): void => members.forEach((member) => (member.activeStreams = 0));
    const counts = new Map<string, number>();
    const count = (name: string): void => void counts.set(name, (counts.get(name) ?? 0) + 1);
    for (let i = 0; i < 3; i++) count(open());
    finishAll();
    for (let i = 0; i < 9; i++) count(open());
    expect([...counts.values()]).to.deep.equal([7, 4, 1]);
    finishAll();
    count(open());
    expect([...counts.values()]).to.deep.equal([7, 4, 2]);
  });

  it('fills a tunnel to 100 streams', () => {
    const { open, retired } = bed();
    const names = Array.from({ length: 101 }, () => open());
    expect(new Set(names.slice(0, 100))).to.deep.equal(new Set(['t1']));
    expect(names[100]).to.equal('t2');
    expect(retired).to.deep.equal(['t1']);
  });

  it('obeys a lower limit of the peer', () => {
    const { pool, open } = bed();
    open();
    use(pool, 'a').peerMaxStreams = 3;
    expect([open(), open(), open()]).to.deep.equal(['t1', 't1', 't2']);
  });

  it('drops a tunnel that is no longer usable', () => {
    const { pool, open, retired } = bed();
    open();
    use(pool, 'a').usable = false;
    expect(open()).to.equal('t2');
    expect(retired).to.deep.equal(['t1']);
  });

  it('drops a tunnel on request, and no other in its place', () => {
    const { pool, open, retired } = bed();
    open();
    const first = use(pool, 'a');
    pool.discard('a', first);
    expect(open()).to.equal('t2');
    pool.discard('a', first);
    expect(open()).to.equal('t2');
    expect(retired).to.deep.equal(['t1']);
  });

  it('lets go of a tunnel nobody asked for during 5 minutes (P3), streams or not', () => {
    const { clock, open, retired } = bed();
    open();
    clock.advance(299_999);
    expect(open()).to.equal('t1');
    clock.advance(299_999);
    expect(retired).to.deep.equal([]);
    clock.advance(1);
    expect(retired).to.deep.equal(['t1']);
    expect(open()).to.equal('t2');
  });

  it('sets one timer per offered tunnel and none besides', () => {
    const { pool, clock, open } = bed({ maxStreams: 2 });
    open();
    open('b');
    expect(clock.pendingTimers).to.equal(2);
    open();
    expect(clock.pendingTimers).to.equal(1);
    pool.clear();
    expect(clock.pendingTimers).to.equal(0);
  });

  it('retires all that is offered when it is cleared (P4)', () => {
    const { pool, open, retired } = bed();
    open('a');
    open('b');
    pool.checkout('c');
    pool.clear();
    expect(retired.toSorted()).to.deep.equal(['t1', 't2']);
    expect(pool.checkout('c').kind).to.equal('connect');
  });
});
