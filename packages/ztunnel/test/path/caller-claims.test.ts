import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { identity, service, workload } from '@clearmesh/shared/testing/builders';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { addressPush, storeOf } from '@clearmesh/shared/testing/pushes';
import type { MeshObjects } from '@clearmesh/shared/testing/pushes';
import { CallerClaims } from '../../src/path/caller-claims.ts';
import { IgnoredCallers } from '../../src/path/ignored-callers.ts';
import { Refusal } from '../../src/path/refusal.ts';
import { SnapshotWaits } from '@clearmesh/shared/snapshot/snapshot-waits';
import { byHostname, ledger, ledgerPod, waypoint, waypointPod } from '../resolve/outbound-cases.ts';

const pod = { namespace: 'bank', name: 'ledger-0', serviceAccount: 'ledger' };
const w1 = identity('bank', 'waypoint');
const w2 = identity('bank', 'second');
const header = identity('bank', 'payments');
const second = service({ name: 'second', addresses: ['10.96.0.8'], ports: { 15008: 15008 } });
const secondPod = workload({ name: 'second-0', serviceAccount: 'second', services: { [second.key]: { 15008: 15008 } } });
const toSecond: GatewayAddress = { ...byHostname, hostname: second.hostname };
const unbound: MeshObjects = { services: [ledger, waypoint, second], workloads: [ledgerPod, waypointPod, secondPod] };
const bound: MeshObjects = { ...unbound, services: [{ ...ledger, waypoint: byHostname }, waypoint, second] };
const rebound: MeshObjects = { ...unbound, services: [{ ...ledger, waypoint: toSecond }, waypoint, second] };

function bed(objects: MeshObjects, maxRemembered?: number) {
  const clock = new FakeClock();
  const store = storeOf(objects, clock);
  const waits = new SnapshotWaits({}, { snapshots: store, clock });
  let ignored = 0;
  const claims = new CallerClaims(maxRemembered === undefined ? { pod } : { pod, maxRemembered }, {
    snapshots: store,
    waits,
    ignoredCallers: new IgnoredCallers({}, { metrics: { callerIgnored: () => void ignored++ }, logger: silentLogger }),
  });
  const controller = new AbortController();
  return {
    clock,
    waits,
    controller,
    learn: (now: MeshObjects) => void store.apply(addressPush(now)),
    wait: (peer = w1) => claims.awaitWaypoint(peer, controller.signal),
    /** What comes of a claim now, in one word. */
    says: (peer = w1, text: string = header) => {
      const claim = { header: text, peer, workload: ledgerPod };
      try {
        const caller = claims.settle(claims.recvClaim(claim), claim, 8080);
        return caller === undefined ? `ignored ${ignored}` : caller.split('/sa/')[1];
      } catch (thrown) {
        return thrown instanceof Refusal ? `${thrown.status} ${thrown.reason} ${thrown.flag}` : String(thrown);
      }
    },
  };
}

describe('CallerClaims', () => {
  it('believes the pod’s waypoint', () => expect(bed(bound).says()).to.equal('payments'));

  it('ignores and counts anybody else', () => {
    const { says } = bed(unbound);
    expect([says(), says()]).to.deep.equal(['ignored 1', 'ignored 2']);
  });

  it('answers 400 to a claim of the waypoint that names nobody', () =>
    expect(bed(bound).says(w1, 'payments')).to.equal('400 bad-request -'));

  describe('wait', () => {
    it('ends when the mesh says that the peer is the pod’s waypoint', async () => {
      const { wait, learn, says, clock } = bed(unbound);
      const waiting = wait();
      clock.advance(999);
      learn(bound);
      await waiting;
      expect(says()).to.equal('payments');
      expect(clock.pendingTimers).to.equal(0);
    });

    it('ends when the waypoint’s own workload follows the binding', async () => {
      const { wait, learn, waits } = bed({ services: [ledger, waypoint], workloads: [ledgerPod] });
      const waiting = wait();
      learn({ services: [{ ...ledger, waypoint: byHostname }] });
      expect(waits.waiting).to.equal(1);
      learn({ workloads: [waypointPod] });
      await waiting;
    });

    it('ends when the workload itself is bound', async () => {
      const { wait, learn } = bed(unbound);
      const waiting = wait();
      learn({ workloads: [{ ...ledgerPod, waypoint: byHostname }] });
      await waiting;
    });

    it('is not ended by another’s binding, and ends after a second', async () => {
      const { wait, learn, clock, waits, says } = bed(unbound);
      const waiting = wait();
      learn(rebound);
      expect(waits.waiting).to.equal(1);
      clock.advance(1_000);
      await waiting;
      expect(says()).to.equal('ignored 1');
    });

    it('ends with its signal', async () => {
      const { wait, controller, clock } = bed(unbound);
      const waiting = wait();
      controller.abort();
      await waiting;
      expect(clock.pendingTimers).to.equal(0);
    });
  });

  describe('of a waypoint that is none any more', () => {
    it('are answered with 421 where none is required', () => {
      const { says, learn } = bed(bound);
      expect(says()).to.equal('payments');
      learn(unbound);
      expect(says()).to.equal('421 former-waypoint DENY');
    });

    it('are left to policy, which says 421 too, where another one is required', () => {
      const { says, learn } = bed(bound);
      expect(says()).to.equal('payments');
      learn(rebound);
      expect([says(), says(w2)]).to.deep.equal(['ignored 1', 'payments']);
    });

    it('are believed when it is the waypoint again', () => {
      const { says, learn } = bed(bound);
      says();
      learn(unbound);
      learn(bound);
      expect(says()).to.equal('payments');
    });

    it('are ignored like anybody else’s when it never came as one', () => {
      const { says, learn } = bed(bound);
      learn(unbound);
      expect(says()).to.equal('ignored 1');
    });

    it('are remembered of so many and no more', () => {
      const { says, learn } = bed(bound, 1);
      says(w1);
      learn(rebound);
      says(w2);
      learn(unbound);
      expect([says(w1), says(w2)]).to.deep.equal(['ignored 1', '421 former-waypoint DENY']);
    });
  });
});
