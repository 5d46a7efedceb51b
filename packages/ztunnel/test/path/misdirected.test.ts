import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import type { Service } from '@clearmesh/shared/model/service';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { identity, service, socketAddress, workload } from '@clearmesh/shared/testing/builders';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { addressPush, snapshotOf, storeOf } from '@clearmesh/shared/testing/pushes';
import type { MeshObjects } from '@clearmesh/shared/testing/pushes';
import type { DialOutcome } from '@clearmesh/shared/tunnel/dialer';
import { MisdirectedRoutes, correctionOf, explainMisdirected, isMisdirected } from '../../src/path/misdirected.ts';
import { SnapshotWaits } from '@clearmesh/shared/snapshot/snapshot-waits';
import { resolveOutbound } from '../../src/resolve/outbound.ts';
import type { Captured, TunnelRoute } from '../../src/resolve/route.ts';
import { byHostname, client, ledger, ledgerPod, line, waypoint, waypointPod } from '../resolve/outbound-cases.ts';

const second = service({ name: 'second', addresses: ['10.96.0.8'], ports: { 15008: 15008 } });
const secondPod = workload({
  name: 'second-0',
  addresses: ['10.0.0.8'],
  serviceAccount: 'second',
  services: { [second.key]: { 15008: 15008 } },
});
const bySecond: GatewayAddress = { ...byHostname, hostname: second.hostname };
const bound: Service = { ...ledger, waypoint: byHostname };
const rebound: Service = { ...ledger, waypoint: bySecond };
const canary: Service = {
  ...ledger,
  weightedWaypoints: [
    { destination: byHostname, weight: 1 },
    { destination: bySecond, weight: 99 },
  ],
};
const pods = [client, ledgerPod, waypointPod, secondPod];
const mesh = (of: Service, changes: MeshObjects = {}): MeshObjects => ({
  services: [of, waypoint, second],
  workloads: pods,
  ...changes,
});
const unready = pods.map((pod) => (pod === waypointPod ? { ...pod, status: 'UNHEALTHY' as const } : pod));
const nameOnly = pods.map((pod) => (pod === waypointPod ? { ...pod, addresses: [], hostname: 'wp.example' } : pod));
const ownBinding = pods.map((pod) => (pod === ledgerPod ? { ...pod, waypoint: byHostname } : pod));
const plainPod = pods.map((pod) => (pod === ledgerPod ? { ...pod, tunnelProtocol: 'NONE' as const } : pod));

const vip = '10.96.0.1:80';
const podAddress = '10.0.0.2:8080';

function captured(to: string): Captured {
  return { source: client, client: socketAddress('10.0.0.1:40000'), originalDestination: socketAddress(to) };
}

/** The way a mesh gives, which is then refused. */
function refusedBy(objects: MeshObjects, to: string): TunnelRoute {
  const route = resolveOutbound(captured(to), snapshotOf(objects), new FakeRandom([0.001]));
  if (route.kind !== 'tunnel') throw new Error(`a way is needed, not ${line(route)}`);
  return route;
}

describe('correctionOf', () => {
  const table: readonly { title: string; before: MeshObjects; now: MeshObjects; to?: string; gives: string }[] = [
    {
      title: 'goes to the waypoint of a service that was bound meanwhile',
      before: mesh(ledger),
      now: mesh(bound),
      gives: 'waypoint 10.0.0.9:15008 for 10.96.0.1:80 as waypoint',
    },
    {
      title: 'goes to the waypoint of a workload that was bound meanwhile',
      before: mesh(ledger),
      now: mesh(ledger, { workloads: ownBinding }),
      to: podAddress,
      gives: 'waypoint 10.0.0.9:15008 for 10.0.0.2:8080 as waypoint',
    },
    {
      title: 'looks up a waypoint that has a name only',
      before: mesh(ledger),
      now: mesh(bound, { workloads: nameOnly }),
      gives: 'look up wp.example, IPv4 first',
    },
    { title: 'waits while nothing changed', before: mesh(ledger), now: mesh(ledger), gives: 'wait' },
    {
      title: 'waits while nothing changed for a pod’s address',
      before: mesh(ledger),
      now: mesh(ledger),
      to: podAddress,
      gives: 'wait',
    },
    {
      title: 'waits for the waypoint’s workload, which may come after the binding',
      before: mesh(ledger),
      now: mesh(bound, { workloads: [client, ledgerPod] }),
      gives: 'wait',
    },
    {
      title: 'waits for the waypoint to be ready',
      before: mesh(ledger),
      now: mesh(bound, { workloads: unready }),
      gives: 'wait',
    },
    {
      title: 'does not go to plain text',
      before: mesh(ledger),
      now: mesh(ledger, { workloads: plainPod }),
      gives: 'wait',
    },
    {
      title: 'does not go directly when the service is gone',
      before: mesh(ledger),
      now: mesh(ledger, { services: [] }),
      gives: 'wait',
    },
    {
      title: 'knows that a pod of a bound service has no other way by its own address',
      before: mesh(ledger),
      now: mesh(bound),
      to: podAddress,
      gives: 'none',
    },
    {
      title: 'goes from a waypoint to the one that replaced it',
      before: mesh(bound),
      now: mesh(rebound),
      gives: 'waypoint 10.0.0.8:15008 for 10.96.0.1:80 as second',
    },
    {
      title: 'goes straight when the mesh requires no waypoint any more',
      before: mesh(bound),
      now: mesh(ledger),
      gives: 'direct 10.0.0.2:15008 for 10.0.0.2:8080 as ledger',
    },
    { title: 'stays with a waypoint that is still the one', before: mesh(bound), now: mesh(bound), gives: 'wait' },
    { title: 'does not leave a waypoint for the other half of a canary', before: mesh(bound), now: mesh(canary), gives: 'wait' },
    {
      title: 'does not go from a waypoint to plain text',
      before: mesh(bound),
      now: mesh(ledger, { workloads: plainPod }),
      gives: 'wait',
    },
  ];
  for (const { title, before, now, to = vip, gives } of table) {
    it(title, () => {
      const found = correctionOf(refusedBy(before, to), captured(to), snapshotOf(now), new FakeRandom());
      expect(found?.kind === 'other-way' ? line(found.route) : (found?.kind ?? 'wait')).to.equal(gives);
    });
  }
});

describe('explainMisdirected', () => {
  const table: readonly { title: string; before: MeshObjects; now: MeshObjects; to?: string; gives: string }[] = [
    {
      title: 'names a service whose waypoint was not heard of',
      before: mesh(ledger),
      now: mesh(ledger),
      gives:
        'service bank/ledger.bank.svc.cluster.local takes connections from its waypoint only, and this proxy has not heard of it; see whether both proxies reach the control plane',
    },
    {
      title: 'names service and waypoint where a pod was addressed',
      before: mesh(ledger),
      now: mesh(bound),
      to: podAddress,
      gives:
        '10.0.0.2:8080 of service bank/ledger.bank.svc.cluster.local takes connections from its waypoint only: service bank/ledger.bank.svc.cluster.local requires waypoint bank/waypoint.bank.svc.cluster.local:15008; call the service by its own address',
    },
    {
      title: 'names service and waypoint where a waypoint refused',
      before: mesh(bound),
      now: mesh(bound),
      gives:
        'waypoint bank/waypoint.bank.svc.cluster.local:15008 is not the way to service bank/ledger.bank.svc.cluster.local, and the mesh names no other',
    },
    {
      title: 'names the address where a workload’s waypoint refused',
      before: mesh(ledger, { workloads: ownBinding }),
      now: mesh(ledger),
      to: podAddress,
      gives: 'waypoint bank/waypoint.bank.svc.cluster.local:15008 is not the way to 10.0.0.2:8080, and the mesh names no other',
    },
  ];
  for (const { title, before, now, to = vip, gives } of table) {
    it(title, () => expect(explainMisdirected(refusedBy(before, to), snapshotOf(now))).to.equal(gives));
  }
});

describe('isMisdirected', () => {
  for (const [status, is] of [
    [400, false],
    [401, false],
    [421, true],
    [503, false],
  ] as const) {
    it(`is ${is} of ${status}`, () => {
      const outcome: DialOutcome = { kind: 'refused', status, peer: identity('bank', 'ledger') };
      expect(isMisdirected(outcome)).to.equal(is);
    });
  }
});

describe('MisdirectedRoutes', () => {
  function bed(before: MeshObjects, to: string = vip) {
    const clock = new FakeClock();
    const store = storeOf(before, clock);
    const controller = new AbortController();
    const waits = new SnapshotWaits({}, { snapshots: store, clock });
    let retries = 0;
    const routes = new MisdirectedRoutes({
      waits,
      random: new FakeRandom(),
      lookUp: () => Promise.resolve([socketAddress('10.0.2.2:1').ip]),
      log: silentLogger,
      metrics: { misdirectedRetried: () => void retries++, nameLookedUp: () => {} },
    });
    const connection = {
      signal: controller.signal,
      cut: () => {},
      joined: () => {},
      carries: () => {},
      [Symbol.dispose]: () => {},
    };
    const finding = routes.another(refusedBy(before, to), { captured: captured(to), connection });
    return {
      clock,
      controller,
      waits,
      learn: (now: MeshObjects) => void store.apply(addressPush(now)),
      found: async () => {
        const route = await finding;
        return `${route === undefined ? 'none' : line(route)}, ${retries} counted`;
      },
    };
  }

  it('takes the way that the mesh names later', async () => {
    const { learn, clock, found } = bed(mesh(ledger));
    clock.advance(999);
    learn(mesh(bound));
    expect(await found()).to.equal('waypoint 10.0.0.9:15008 for 10.96.0.1:80 as waypoint, 1 counted');
    expect(clock.pendingTimers).to.equal(0);
  });

  it('goes on waiting over changes that do not name one', async () => {
    const { learn, waits, found } = bed(mesh(ledger));
    learn({ services: [service({ name: 'other', addresses: [] })] });
    learn({ services: [bound], workloads: unready });
    expect(waits.waiting).to.equal(1);
    learn({ workloads: [waypointPod] });
    expect(await found()).to.equal('waypoint 10.0.0.9:15008 for 10.96.0.1:80 as waypoint, 1 counted');
  });

  it('gives up after a second', async () => {
    const { clock, found } = bed(mesh(ledger));
    clock.advance(1_000);
    expect(await found()).to.equal('none, 0 counted');
  });

  it('gives up with the connection', async () => {
    const { controller, clock, found } = bed(mesh(ledger));
    controller.abort();
    expect(await found()).to.equal('none, 0 counted');
    expect(clock.pendingTimers).to.equal(0);
  });

  it('does not wait where the mesh is known to have no other way', async () => {
    const { clock, found } = bed(mesh(bound), podAddress);
    expect(clock.pendingTimers).to.equal(0);
    expect(await found()).to.equal('none, 0 counted');
  });

  it('stops waiting as soon as the mesh says that there is none', async () => {
    const { learn, clock, found } = bed(mesh(ledger), podAddress);
    learn(mesh(bound));
    expect(await found()).to.equal('none, 0 counted');
    expect(clock.pendingTimers).to.equal(0);
  });

  it('looks up a waypoint that has a name only', async () => {
    const { learn, found } = bed(mesh(ledger));
    learn(mesh(bound, { workloads: nameOnly }));
    expect(await found()).to.equal('waypoint 10.0.2.2:15008 for 10.96.0.1:80 as waypoint, 1 counted');
  });
});
