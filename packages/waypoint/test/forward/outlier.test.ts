import { expect } from 'chai';
import fc from 'fast-check';
import { beforeEach, describe, it } from 'mocha';
import type { OutlierPolicy } from '@clearmesh/shared/model/l7/resilience';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { EndpointSet } from '../../src/forward/endpoint-set.ts';
import { defaultResilience } from '@clearmesh/shared/model/l7/resilience';
import type { HostList } from '../../src/forward/endpoint-set.ts';
import type { Sign } from '../../src/forward/outlier.ts';
import { mayEject } from '../../src/forward/outlier.ts';
import { endpointsOf } from './fake-upstream.ts';

const { loadBalancing } = defaultResilience;
const outlier: OutlierPolicy = {
  consecutive5xx: 5,
  consecutiveLocal: 3,
  intervalMs: 10_000,
  baseEjectionMs: 30_000,
  maxEjectionMs: 300_000,
  panicPercent: 50,
  panic: 'spread',
};

describe('the share of ejected endpoints (B6)', () => {
  const table = [
    { ejected: 0, total: 1, percent: 100, may: false, title: 'never the last one' },
    { ejected: 1, total: 2, percent: 100, may: false, title: 'never the last one that is left' },
    { ejected: 0, total: 2, percent: undefined, may: true, title: 'one of two' },
    { ejected: 1, total: 5, percent: undefined, may: true, title: 'two of five' },
    { ejected: 2, total: 5, percent: undefined, may: false, title: 'not three of five' },
    { ejected: 0, total: 10, percent: undefined, may: true, title: 'one of ten' },
    { ejected: 1, total: 10, percent: undefined, may: false, title: 'not two of ten' },
    { ejected: 0, total: 5, percent: 10, may: false, title: 'none where the policy’s share is less than one' },
    { ejected: 0, total: 3, percent: 0, may: false, title: 'none at 0 percent' },
  ];
  for (const { ejected, total, percent, may, title } of table) {
    it(title, () => {
      const policy = percent === undefined ? outlier : { ...outlier, maxEjectionPercent: percent };
      expect(mayEject(ejected, total, policy)).to.equal(may);
    });
  }
});

describe('EndpointSet', () => {
  let clock: FakeClock;
  let ejections: string[];
  let set: EndpointSet;
  let list: HostList;

  beforeEach(() => {
    clock = new FakeClock();
    ejections = [];
    set = new EndpointSet({ clock, random: systemRandom, onEjected: ({ name }, cause) => ejections.push(`${name} ${cause}`) });
    list = set.of(endpointsOf(5), loadBalancing);
  });

  function hostNamed(name: string) {
    const host = list.hosts.find(({ endpoint }) => endpoint.name === name);
    if (host === undefined) throw new Error(`no ${name}`);
    return host;
  }

  function recv(name: string, sign: Sign, times: number, policy = outlier): void {
    const host = hostNamed(name);
    for (let time = 0; time < times; time++) set.recvSign(host, list, sign, policy);
  }

  function chosen(policy = outlier): Set<string | undefined> {
    const names = new Set<string | undefined>();
    for (let draw = 0; draw < 300; draw++)
      names.add(set.choose(list, { loadBalancing, outlier: policy }, [], clock.monotonicMs())?.endpoint.name);
    return names;
  }

  it('ejects after so many answers 5xx in a row', () => {
    recv('ledger-0', 'answer', 4);
    recv('ledger-0', 'healthy', 1);
    recv('ledger-0', 'answer', 4);
    expect(ejections).to.deep.equal([]);
    recv('ledger-0', 'answer', 1);
    expect(ejections).to.deep.equal(['ledger-0 consecutive-5xx']);
    expect(chosen()).to.not.include('ledger-0');
  });

  it('counts failures of the way apart from answers', () => {
    recv('ledger-0', 'answer', 4);
    recv('ledger-0', 'local', 2);
    recv('ledger-0', 'neutral', 20);
    expect(ejections).to.deep.equal([]);
    recv('ledger-0', 'local', 1);
    expect(ejections).to.deep.equal(['ledger-0 consecutive-local']);
  });

  it('takes an endpoint back after its time, with its counts at zero', () => {
    recv('ledger-0', 'answer', 5);
    clock.advance(29_999);
    expect(set.ejected).to.equal(1);
    clock.advance(1);
    expect(chosen()).to.include('ledger-0');
    expect(set.ejected).to.equal(0);
    recv('ledger-0', 'answer', 4);
    expect(ejections).to.have.length(1);
    recv('ledger-0', 'answer', 1);
    expect(ejections).to.have.length(2);
  });

  it('ejects for longer each time, up to the longest, and forgets by one each healthy interval', () => {
    const ejectedFor = (): number => {
      recv('ledger-0', 'answer', 5);
      const ms = set.status(loadBalancing)[0]?.ejectedForMs ?? 0;
      clock.advance(ms);
      set.choose(list, { loadBalancing, outlier }, [], clock.monotonicMs());
      return ms;
    };
    expect([ejectedFor(), ejectedFor(), ejectedFor()]).to.deep.equal([30_000, 60_000, 90_000]);
    clock.advance(20_000);
    expect(ejectedFor()).to.equal(60_000);
    for (let time = 0; time < 20; time++) ejectedFor();
    expect(ejectedFor()).to.equal(300_000);
  });

  it('spreads over all, or fails, when too few are left', () => {
    const policy = { ...outlier, maxEjectionPercent: 100 };
    for (const name of ['ledger-0', 'ledger-1', 'ledger-2']) recv(name, 'answer', 5, policy);
    expect(chosen(policy).size).to.be.above(2);
    expect([...chosen({ ...policy, panic: 'fail' })]).to.deep.equal([undefined]);
  });

  it('keeps what it learned while the endpoint stays who it is', () => {
    recv('ledger-0', 'answer', 5);
    list = set.of(endpointsOf(5), loadBalancing);
    expect(set.ejected).to.equal(1);
    const [first, ...others] = endpointsOf(5);
    list = set.of([{ ...first!, identity: 'spiffe://cluster.local/ns/bank/sa/other' as never }, ...others], loadBalancing);
    expect(set.ejected).to.equal(0);
  });

  it('sends to endpoints of the request’s own list only, and shares between lists what was learned', () => {
    recv('ledger-0', 'answer', 5);
    const http2 = set.of(endpointsOf(5, 'HTTP/2'), loadBalancing);
    const single = set.of(endpointsOf(1), loadBalancing);
    for (let draw = 0; draw < 100; draw++) {
      const host = set.choose(http2, { loadBalancing, outlier }, [], clock.monotonicMs());
      expect(host?.endpoint).to.include({ protocol: 'HTTP/2' });
      expect(host?.endpoint.name).to.not.equal('ledger-0');
      expect(chosen()).to.not.include('ledger-0');
    }
    // O2: the only one of its list.
    expect(set.choose(single, { loadBalancing, outlier }, [], clock.monotonicMs())?.endpoint.name).to.equal('ledger-0');
  });

  it('remembers an endpoint that leaves for a while', () => {
    hostNamed('ledger-4').load.ewmaMs = 777;
    set.of(endpointsOf(4), loadBalancing);
    clock.advance(60_000);
    list = set.of(endpointsOf(5), loadBalancing);
    expect(hostNamed('ledger-4').load.ewmaMs).to.equal(777);
    set.of(endpointsOf(4), loadBalancing);
    clock.advance(600_000);
    set.of(endpointsOf(4), loadBalancing);
    list = set.of(endpointsOf(5), loadBalancing);
    expect(hostNamed('ledger-4').load.ewmaMs).to.equal(30);
  });

  it('goes on sending to ejected endpoints when all others went away, whatever panic says', () => {
    recv('ledger-0', 'answer', 5);
    recv('ledger-1', 'answer', 5);
    list = set.of(endpointsOf(2), loadBalancing);
    expect(chosen({ ...outlier, panic: 'fail' })).to.deep.equal(new Set(['ledger-0', 'ledger-1']));
  });

  it('never ejects more than the share, and never the last one', () => {
    const events = fc.array(
      fc.record({ host: fc.nat(20), sign: fc.constantFrom<Sign>('answer', 'local', 'healthy'), afterMs: fc.nat(9_000) }),
      {
        maxLength: 400,
      },
    );
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 15 }),
        fc.option(fc.nat(100), { nil: undefined }),
        events,
        (count, percent, steps) => {
          const policy = {
            ...outlier,
            consecutive5xx: 1,
            consecutiveLocal: 1,
            ...(percent === undefined ? {} : { maxEjectionPercent: percent }),
          };
          set = new EndpointSet({ clock, random: systemRandom, onEjected: () => {} });
          list = set.of(endpointsOf(count), loadBalancing);
          for (const { host, sign, afterMs } of steps) {
            clock.advance(afterMs);
            const candidate = set.choose(list, { loadBalancing, outlier: policy }, [], clock.monotonicMs());
            if (candidate !== undefined && host % 3 > 0) set.recvSign(candidate, list, sign, policy);
            expect(set.ejected).to.be.below(count);
            expect(set.ejected * 100).to.be.at.most((percent ?? (count < 10 ? 50 : 10)) * count);
          }
        },
      ),
      { numRuns: 50 },
    );
  });
});
