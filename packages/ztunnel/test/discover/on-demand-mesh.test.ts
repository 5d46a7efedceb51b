import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { ip, service, socketAddress, workload } from '@clearmesh/shared/testing/builders';
import { snapshotOf } from '@clearmesh/shared/testing/pushes';
import { resolveOutbound } from '../../src/resolve/outbound.ts';
import { OnDemandBed } from './on-demand-bed.ts';
import type { Published } from './on-demand-bed.ts';

const client = workload({ name: 'client', addresses: ['10.0.0.1'] });
const pod = { namespace: 'bank', name: 'client', serviceAccount: 'default' };
const waypoint = service({ name: 'waypoint', addresses: ['10.96.0.9'], ports: { 15008: 15008 } });
const gateway = { kind: 'hostname', namespace: 'bank', hostname: waypoint.hostname, hboneMtlsPort: 15008 } as const;
const waypointPod = workload({ name: 'waypoint-1', addresses: ['10.0.9.1'], services: { [waypoint.key]: { 15008: 15008 } } });
const ledger = service({ name: 'ledger', addresses: ['10.96.0.1'], ports: { 80: 8080 }, waypoint: gateway });
const ledgerPod = workload({ name: 'ledger-1', addresses: ['10.0.0.2'], services: { [ledger.key]: { 80: 8080 } } });
const plain = service({ name: 'plain', addresses: ['10.96.0.2'], ports: { 80: 8080 } });
const plainPod = workload({ name: 'plain-1', addresses: ['10.0.0.3'], services: { [plain.key]: { 80: 8080 } } });
const bank: Published = {
  services: [waypoint, ledger, plain],
  workloads: [client, waypointPod, ledgerPod, plainPod],
};

const never = new AbortController().signal;

function names({ store }: OnDemandBed): readonly string[] {
  return [...store.current.workloads, ...store.current.services].map(({ name }) => name).toSorted();
}

describe('a destination on demand', () => {
  it('is asked for with all that decides where it goes, before those who wait are released', async () => {
    const bed = new OnDemandBed(bank);
    const found = bed.mesh.awaitDestination(client, ip('10.96.0.1'), never);
    const released = found.then(() => names(bed));
    await bed.deliver();
    expect(await found).to.equal(true);
    expect(await released).to.deep.equal(['ledger', 'ledger-1', 'waypoint', 'waypoint-1']);
    expect(bed.asked).to.deep.equal(['*', '-*', '/10.96.0.1', waypoint.key]);
    expect([bed.outcomes, bed.mesh.waiting, bed.clock.pendingTimers]).to.deep.equal([['answered'], 0, 0]);
  });

  it('is asked for once for all who wait, and not again', async () => {
    const bed = new OnDemandBed(bank);
    const both = [1, 2].map(() => bed.mesh.awaitDestination(client, ip('10.96.0.2'), never));
    await bed.deliver();
    expect(await Promise.all([...both, bed.mesh.awaitDestination(client, ip('10.96.0.2'), never)])).to.deep.equal([
      true,
      true,
      true,
    ]);
    expect(bed.asked.filter((name) => name === '/10.96.0.2')).to.have.length(1);
    expect(bed.outcomes).to.deep.equal(['answered', 'answered']);
  });

  it('that nothing has is known to be free, until something has it', async () => {
    const bed = new OnDemandBed(bank);
    const found = bed.mesh.awaitDestination(client, ip('10.0.0.77'), never);
    await bed.deliver();
    expect([await found, names(bed)]).to.deep.equal([true, []]);
    const late = workload({ name: 'late', addresses: ['10.0.0.77'] });
    bed.publish({ ...bank, workloads: [late] });
    await bed.deliver();
    expect(await bed.mesh.awaitDestination(client, ip('10.0.0.77'), never)).to.equal(true);
    expect([names(bed), bed.outcomes]).to.deep.equal([['late'], ['answered']]);
  });

  it('follows endpoints that come and go, and a waypoint that is added, before the next connection asks', async () => {
    const bed = new OnDemandBed(bank);
    const found = bed.mesh.awaitDestination(client, ip('10.96.0.2'), never);
    await bed.deliver();
    await found;
    const second = workload({ name: 'plain-2', addresses: ['10.0.0.4'], services: { [plain.key]: { 80: 8080 } } });
    bed.publish({ services: [waypoint, { ...plain, waypoint: gateway }], workloads: [waypointPod, second] });
    await bed.deliver();
    expect(names(bed)).to.deep.equal(['plain', 'plain-2', 'waypoint', 'waypoint-1']);
  });

  it('is refused when no answer comes in time, and the next connection waits for itself', async () => {
    const bed = new OnDemandBed(bank);
    bed.disconnect();
    const found = bed.mesh.awaitDestination(client, ip('10.96.0.2'), never);
    await bed.deliver();
    bed.clock.advance(5_000);
    expect(await found).to.equal(false);
    const again = bed.mesh.awaitDestination(client, ip('10.96.0.2'), never);
    bed.connect();
    await bed.deliver();
    expect([await again, bed.outcomes]).to.deep.equal([true, ['late', 'answered']]);
  });

  it('is given up with the connection that wants it', async () => {
    const bed = new OnDemandBed(bank);
    const controller = new AbortController();
    const found = bed.mesh.awaitDestination(client, ip('10.96.0.2'), controller.signal);
    controller.abort();
    expect([await found, bed.mesh.waiting, bed.clock.pendingTimers]).to.deep.equal([false, 0, 0]);
  });

  it('is refused at once when too many connections of the pod wait, and not those of another', async () => {
    const bed = new OnDemandBed(bank, { maxWaiting: 1 });
    const first = bed.mesh.awaitDestination(client, ip('10.96.0.1'), never);
    expect(await bed.mesh.awaitDestination(client, ip('10.96.0.2'), never)).to.equal(false);
    const other = bed.mesh.awaitDestination(plainPod, ip('10.96.0.2'), never);
    await bed.deliver();
    expect([await first, await other, bed.outcomes]).to.deep.equal([true, true, ['overload', 'answered', 'answered']]);
  });

  it('D4 is waited for half a second when something is known of it and nothing more is said', async () => {
    const bed = new OnDemandBed(bank);
    const service = bed.mesh.awaitDestination(client, ip('10.96.0.2'), never);
    await bed.deliver();
    await service;
    bed.disconnect();
    const direct = bed.mesh.awaitDestination(client, ip('10.0.0.3'), never);
    await bed.deliver();
    bed.clock.advance(500);
    expect(await direct).to.equal(true);
    expect(await bed.mesh.awaitDestination(client, ip('10.0.0.3'), never)).to.equal(true);
    expect(bed.outcomes).to.deep.equal(['answered', 'answered']);
  });
});

describe('a new stream on demand', () => {
  it('is told all names, so that what changed meanwhile is known', async () => {
    const bed = new OnDemandBed(bank);
    const found = [ip('10.0.0.3'), ip('10.0.0.77')].map((to) => bed.mesh.awaitDestination(client, to, never));
    await bed.deliver();
    await Promise.all(found);
    bed.disconnect();
    const [heir, late] = [
      workload({ name: 'heir', addresses: ['10.0.0.3'] }),
      workload({ name: 'late', addresses: ['10.0.0.77'] }),
    ];
    bed.publish({ workloads: [heir, late] });
    expect(names(bed)).to.deep.equal(['plain-1']);
    bed.connect();
    await bed.deliver();
    expect(names(bed)).to.deep.equal(['heir', 'late']);
  });
});

describe('a pod of this node on demand', () => {
  it('is known while it is held, and let go with its last holder', async () => {
    const bed = new OnDemandBed(bank);
    const [first, second] = [bed.mesh.hold(pod), bed.mesh.hold(pod)];
    const workload = bed.mesh.awaitWorkload(pod, never);
    await bed.deliver();
    expect((await workload)?.uid).to.equal(client.uid);
    first[Symbol.dispose]();
    await bed.deliver();
    expect(names(bed)).to.deep.equal(['client']);
    second[Symbol.dispose]();
    await bed.deliver();
    expect([names(bed), bed.mesh.size]).to.deep.equal([[], 0]);
  });

  it('takes nobody in before the services are known that say who may come', async () => {
    const bed = new OnDemandBed(bank);
    const ledgerName = { ...pod, name: 'ledger-1' };
    using _held = bed.mesh.hold(ledgerName);
    const guarded = bed.mesh.awaitGuardedWorkload(ledgerName, never).then((found) => [found?.name, names(bed)]);
    await bed.deliver();
    expect(await guarded).to.deep.equal(['ledger-1', ['ledger', 'ledger-1', 'waypoint', 'waypoint-1']]);
  });

  it('takes nobody in when they do not become known', async () => {
    const bed = new OnDemandBed(bank);
    const ledgerName = { ...pod, name: 'ledger-1' };
    using _held = bed.mesh.hold(ledgerName);
    await bed.deliver();
    bed.disconnect();
    const guarded = bed.mesh.awaitGuardedWorkload(ledgerName, never);
    await bed.deliver();
    bed.clock.advance(5_000);
    expect(await guarded).to.equal(undefined);
  });
});

describe('names kept on demand', () => {
  it('D3 are those of what exists, and of the rest the ones used last', async () => {
    const bed = new OnDemandBed(bank, { maxAbsent: 10 });
    using _held = bed.mesh.hold({ ...pod, name: 'not there yet' });
    const kept = bed.mesh.awaitDestination(client, ip('10.96.0.1'), never);
    await bed.deliver();
    await kept;
    for (let last = 1; last <= 200; last++) {
      const scanned = bed.mesh.awaitDestination(client, ip(`10.7.0.${last}`), never);
      await bed.deliver();
      expect(await scanned).to.equal(true);
      expect(bed.mesh.size).to.be.at.most(14);
    }
    expect(bed.client.stateOf('/10.7.0.1')).to.equal(undefined);
    expect(bed.asked).to.include('-/10.7.0.1');
    expect(
      ['/10.7.0.200', '/10.96.0.1', waypoint.key, 'Kubernetes//Pod/bank/not there yet'].map((name) => bed.client.stateOf(name)),
    ).to.deep.equal(['answered', 'answered', 'answered', 'answered']);
  });
});

describe('a decision on demand', () => {
  const services: readonly Service[] = [
    waypoint,
    ledger,
    plain,
    service({ name: 'block', addresses: ['10.64.0.0/10'], waypoint: gateway }),
    // An entry that lists its endpoint's address as its own.
    service({ name: 'same', addresses: ['10.0.0.3'], waypoint: gateway }),
  ];
  const workloads: readonly Workload[] = [
    client,
    waypointPod,
    ledgerPod,
    plainPod,
    workload({ name: 'guarded', addresses: ['10.0.0.5'], waypoint: gateway }),
    workload({ name: 'legacy', addresses: ['10.0.0.6'], tunnelProtocol: 'NONE' }),
  ];
  const targets = [
    '10.96.0.1:80',
    '10.96.0.2:80',
    '10.0.0.2:1',
    '10.0.0.3:1',
    '10.0.0.5:1',
    '10.0.0.6:1',
    '10.65.0.1:80',
    '10.0.0.99:1',
  ];
  const subset = <T>(all: readonly T[]): fc.Arbitrary<T[]> => fc.subarray([...all]);

  it('D1 is the one that would be made by the whole mesh, in whatever order connections come and the mesh changes', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('publish' as const), services: subset(services), workloads: subset(workloads) }),
      fc.record({ kind: fc.constant('reconnect' as const) }),
      fc.record({ kind: fc.constant('call' as const), target: fc.constantFrom(...targets) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), fc.constantFrom(6, 10_000), async (steps, maxAbsent) => {
        const bed = new OnDemandBed({ services, workloads }, { maxAbsent });
        let whole: Published = { services, workloads };
        for (const taken of steps) {
          if (taken.kind === 'publish') bed.publish((whole = taken));
          if (taken.kind === 'reconnect') bed.connect();
          await bed.deliver();
          if (taken.kind !== 'call') continue;
          const originalDestination = socketAddress(taken.target);
          const found = bed.mesh.awaitDestination(client, originalDestination.ip, never);
          await bed.deliver();
          expect(await found).to.equal(true);
          const captured = { source: client, client: socketAddress('10.0.0.1:4000'), originalDestination };
          const decide = (snapshot: typeof bed.mesh.current) => resolveOutbound(captured, snapshot, new FakeRandom([0]));
          expect(decide(bed.mesh.current)).to.deep.equal(decide(snapshotOf(whole)));
        }
      }),
      { numRuns: 150 },
    );
  });
});
