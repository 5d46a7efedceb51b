import { expect } from 'chai';
import { describe, it } from 'mocha';
import { podUid, policyKey, serviceKey } from '../../src/model/names.ts';
import type { WorkloadUid } from '../../src/model/names.ts';
import type { Workload } from '../../src/model/workload.ts';
import { authorization, ip, service, workload } from '../../src/testing/builders.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { ADDRESS_TYPE_URL } from '../../src/wire/type-urls.ts';
import { encodeWorkload } from '../../src/wire/wds.ts';
import type { SnapshotChange } from '../../src/snapshot/snapshot.ts';
import { addressPush, policyPush, snapshotOf, storeOf } from '../../src/testing/pushes.ts';

const ledger = service({ name: 'ledger' });
const pod = { namespace: 'bank', name: 'client', serviceAccount: 'default' };
const forever = new AbortController().signal;

function names(workloads: Iterable<Workload>): readonly string[] {
  return [...workloads].map(({ name }) => name).sort();
}

describe('SnapshotStore', () => {
  describe('store rules (section 3.5)', () => {
    it('finds a workload by uid, address, pod and hostname', () => {
      const external = workload({
        name: 'ext',
        uid: 'c/networking.istio.io/ServiceEntry/bank/e/x',
        addresses: [],
        hostname: 'ext.example',
      });
      const snapshot = snapshotOf({
        workloads: [workload({ name: 'a', addresses: ['10.0.0.7', 'fd00::7'], network: 'n' }), external],
      });
      expect(snapshot.workload(podUid('Kubernetes', 'bank', 'a'))?.name).to.equal('a');
      expect(snapshot.workloadByIp('n', ip('10.0.0.7'))?.name).to.equal('a');
      expect(snapshot.workloadByIp('n', ip('fd00::7'))?.name).to.equal('a');
      expect(snapshot.workloadByIp('', ip('10.0.0.7'))).to.equal(undefined);
      expect(snapshot.workloadByPod('bank', 'a', 'default')?.name).to.equal('a');
      expect(snapshot.workloadByPod('bank', 'a', 'other-sa')).to.equal(undefined);
      expect(names(snapshot.workloadsByHostname('ext.example'))).to.deep.equal(['ext']);
    });

    it('stages endpoints that come before their service', () => {
      const store = storeOf({ workloads: [workload({ name: 'a', services: { [ledger.key]: { 80: 8080 } } })] });
      expect(names(store.current.endpoints(ledger.key))).to.deep.equal(['a']);
      store.apply(addressPush({ services: [ledger] }));
      expect(store.current.service(ledger.key)?.hostname).to.equal(ledger.hostname);
      expect(names(store.current.endpoints(ledger.key))).to.deep.equal(['a']);
    });

    it('keeps the endpoints when a service is replaced, and when it is removed and comes back', () => {
      const store = storeOf({
        services: [ledger],
        workloads: [workload({ name: 'a', services: { [ledger.key]: { 80: 8080 } } })],
      });
      store.apply(addressPush({ services: [service({ name: 'ledger', addresses: ['10.96.0.9'] })] }));
      expect(names(store.current.endpoints(ledger.key))).to.deep.equal(['a']);
      expect(store.current.servicesByVip('', ip('10.96.0.1'))).to.deep.equal([]);
      expect(store.current.servicesByVip('', ip('10.96.0.9'))).to.have.length(1);
      store.apply(addressPush({}, [ledger.key]));
      store.apply(addressPush({ services: [ledger] }));
      expect(names(store.current.endpoints(ledger.key))).to.deep.equal(['a']);
    });

    it('drops the endpoint of a workload that no longer names the service, or is gone', () => {
      const services = { [ledger.key]: { 80: 8080 } };
      const store = storeOf({ workloads: [workload({ name: 'a', services }), workload({ name: 'b', services })] });
      store.apply(addressPush({ workloads: [workload({ name: 'a' })] }));
      expect(names(store.current.endpoints(ledger.key))).to.deep.equal(['b']);
      store.apply(addressPush({}, [podUid('Kubernetes', 'bank', 'b')]));
      expect(store.current.endpoints(ledger.key)).to.deep.equal([]);
    });

    it('does not index a workload on the host network by address, but as an endpoint', () => {
      const snapshot = snapshotOf({
        workloads: [workload({ name: 'a', networkMode: 'HOST_NETWORK', services: { [ledger.key]: {} } })],
      });
      expect(snapshot.workloadByIp('', ip('10.0.0.1'))).to.equal(undefined);
      expect(names(snapshot.endpoints(ledger.key))).to.deep.equal(['a']);
    });

    const entry = workload({ name: 'entry', uid: 'Kubernetes/networking.istio.io/WorkloadEntry/bank/entry' });
    const plainEntry = workload({
      name: 'plain-entry',
      uid: 'Kubernetes/networking.istio.io/WorkloadEntry/bank/p',
      tunnelProtocol: 'NONE',
    });
    const plainPod = workload({ name: 'plain-pod', tunnelProtocol: 'NONE' });
    const duplicates = [
      { title: 'a pod, even without HBONE', among: [entry, plainPod, plainEntry], wins: 'plain-pod' },
      { title: 'an HBONE pod', among: [workload({ name: 'pod' }), plainPod], wins: 'pod' },
      { title: 'an HBONE workload where no pod is', among: [entry, plainEntry], wins: 'entry' },
      { title: 'the latest arrival among equals', among: [workload({ name: 'old' }), workload({ name: 'new' })], wins: 'new' },
    ];
    for (const { title, among, wins } of duplicates) {
      it(`prefers ${title} when several workloads have one address`, () => {
        expect(snapshotOf({ workloads: among }).workloadByIp('', ip('10.0.0.1'))?.name).to.equal(wins);
      });
    }

    it('does not take an update for an arrival', () => {
      const store = storeOf({ workloads: [workload({ name: 'old' }), workload({ name: 'new' })] });
      store.apply(addressPush({ workloads: [workload({ name: 'old', status: 'UNHEALTHY' })] }));
      expect(store.current.workloadByIp('', ip('10.0.0.1'))?.name).to.equal('new');
    });

    it('prefers the pod of the own cluster to its namesake of another one', () => {
      const away = workload({ name: 'a', clusterId: 'west', addresses: ['10.9.0.1'] });
      const home = workload({ name: 'a', addresses: ['10.0.0.1'] });
      for (const workloads of [
        [home, away],
        [away, home],
      ]) {
        expect(snapshotOf({ workloads }).workloadByPod('bank', 'a', 'default')?.clusterId).to.equal('Kubernetes');
      }
    });

    it('lists services of one VIP or hostname in the order they arrived, updated ones in their old place', () => {
      const [a, b] = [service({ namespace: 'a', hostname: 'api.example' }), service({ namespace: 'b', hostname: 'api.example' })];
      const store = storeOf({ services: [a, b] });
      store.apply(addressPush({ services: [{ ...a, canonical: false }] }));
      expect(store.current.servicesByVip('', ip('10.96.0.1')).map(({ namespace }) => namespace)).to.deep.equal(['a', 'b']);
      expect(store.current.servicesByHostname('api.example').map(({ namespace }) => namespace)).to.deep.equal(['a', 'b']);
    });

    it('keeps blocks of addresses apart from exact VIPs', () => {
      const wide = service({ name: 'wide', addresses: ['10.50.0.0/16', '10.60.0.1'] });
      const narrow = service({ name: 'narrow', addresses: ['10.50.1.0/24'] });
      const snapshot = snapshotOf({ services: [wide, narrow] });
      const found = snapshot.servicesByCidr('', ip('10.50.1.9')).map((match) => [match.service.name, match.prefixLength]);
      expect(found).to.deep.equal([
        ['narrow', 24],
        ['wide', 16],
      ]);
      expect(snapshot.servicesByVip('', ip('10.50.0.0'))).to.deep.equal([]);
      expect(snapshot.servicesByVip('', ip('10.60.0.1'))).to.have.length(1);
    });

    it('applies policies by namespace, GLOBAL ones everywhere, and selected ones by name only', () => {
      const policies = [
        authorization({ name: 'ours' }),
        authorization({ name: 'theirs', namespace: 'other' }),
        authorization({ name: 'global', namespace: 'other', scope: 'GLOBAL' }),
        authorization({ name: 'selected', scope: 'WORKLOAD_SELECTOR' }),
      ];
      const snapshot = snapshotOf({ policies });
      expect(snapshot.policiesForNamespace('bank').map(({ name }) => name)).to.have.members(['ours', 'global']);
      expect(snapshot.policiesForNamespace('other').map(({ name }) => name)).to.have.members(['theirs', 'global']);
      expect(snapshot.policiesForNamespace('').map(({ name }) => name)).to.deep.equal(['global']);
      expect(snapshot.policy(policyKey('bank', 'selected'))?.name).to.equal('selected');
    });
  });

  describe('pushes (sections 3.1, 3.2)', () => {
    it('removes by bare name: a workload’s uid, a service’s namespace/hostname, a policy’s key', () => {
      const store = storeOf({ workloads: [workload({ name: 'a' })], services: [ledger], policies: [authorization()] });
      store.apply(addressPush({}, [podUid('Kubernetes', 'bank', 'a'), ledger.key]));
      store.apply(policyPush({}, [policyKey('bank', 'policy')]));
      expect([...store.current.workloads, ...store.current.services, ...store.current.policies]).to.deep.equal([]);
      expect(store.current.workloadByIp('', ip('10.0.0.1'))).to.equal(undefined);
      expect(store.current.policiesForNamespace('bank')).to.deep.equal([]);
    });

    it('applies removals before upserts', () => {
      const store = storeOf({ workloads: [workload({ name: 'a' })] });
      const moved = workload({ name: 'b', addresses: ['10.0.0.1'] });
      store.apply(addressPush({ workloads: [moved] }, [podUid('Kubernetes', 'bank', 'a')]));
      expect(store.current.workloadByIp('', ip('10.0.0.1'))?.name).to.equal('b');
    });

    it('keeps the valid resources of a push and returns the others, whose last good version stays', () => {
      const store = storeOf({ workloads: [workload({ name: 'bad', addresses: ['10.0.0.5'] })] });
      const rejections = store.apply({
        typeUrl: ADDRESS_TYPE_URL,
        removed: [],
        upserts: [
          { name: 'Kubernetes//Pod/bank/bad', version: '2', value: Uint8Array.from([0xff]) },
          { name: 'Kubernetes//Pod/bank/good', version: '2', value: encodeWorkload(workload({ name: 'good' })) },
        ],
      });
      expect(rejections.map(({ name }) => name)).to.deep.equal(['Kubernetes//Pod/bank/bad']);
      expect(names(store.current.workloads)).to.deep.equal(['bad', 'good']);
    });

    it('rejects every resource of a type it did not ask for', () => {
      const push = {
        typeUrl: 'type.googleapis.com/istio.workload.Workload',
        removed: ['x'],
        upserts: [{ name: 'a', version: '', value: new Uint8Array() }],
      };
      expect(
        storeOf()
          .apply(push)
          .map(({ name }) => name),
      ).to.deep.equal(['a']);
    });

    it('files a workload under its uid, whatever the resource is called', () => {
      const store = storeOf();
      const value = encodeWorkload(workload({ name: 'b' }));
      store.apply({ typeUrl: ADDRESS_TYPE_URL, removed: [], upserts: [{ name: 'some/other/key', version: '', value }] });
      store.apply(addressPush({}, ['some/other/key']));
      expect(names(store.current.workloads)).to.deep.equal(['b']);
    });
  });

  describe('snapshots', () => {
    it('never change after they were taken', () => {
      const store = storeOf({ workloads: [workload({ name: 'a' })], services: [ledger] });
      const before = store.current;
      store.apply(addressPush({ workloads: [workload({ name: 'b' })] }, [podUid('Kubernetes', 'bank', 'a'), ledger.key]));
      expect(names(before.workloads)).to.deep.equal(['a']);
      expect(before.service(ledger.key)).to.not.equal(undefined);
      expect(names(store.current.workloads)).to.deep.equal(['b']);
    });

    it('share what a push did not touch', () => {
      const other = serviceKey('bank', 'other.example');
      const store = storeOf({
        workloads: [workload({ name: 'a', services: { [other]: {} } }), workload({ name: 'b', services: { [ledger.key]: {} } })],
      });
      const before = store.current;
      store.apply(addressPush({ workloads: [workload({ name: 'c', services: { [ledger.key]: {} } })] }));
      expect(store.current.endpoints(other)).to.equal(before.endpoints(other));
      expect(store.current.endpoints(ledger.key)).to.have.length(2);
    });
  });

  describe('changes', () => {
    function changesOf(run: (store: ReturnType<typeof storeOf>) => void): readonly SnapshotChange[] {
      const store = storeOf({ workloads: [workload({ name: 'a' })], policies: [authorization()] });
      const changes: SnapshotChange[] = [];
      store.onChange((snapshot, change) => {
        expect(snapshot).to.equal(store.current);
        changes.push(change);
      });
      run(store);
      return changes;
    }

    it('tell what a workload was before it was replaced or removed', () => {
      const [replaced, removed] = changesOf((store) => {
        store.apply(addressPush({ workloads: [workload({ name: 'a', addresses: ['10.0.0.9'] })] }));
        store.apply(addressPush({}, [podUid('Kubernetes', 'bank', 'a')]));
      });
      expect(replaced?.workloadsReplaced[0]?.addresses).to.deep.equal(['10.0.0.1']);
      expect(replaced?.workloadsChanged[0]?.addresses).to.deep.equal(['10.0.0.9']);
      expect(removed?.workloadsRemoved[0]?.addresses).to.deep.equal(['10.0.0.9']);
      expect([removed?.workloadsChanged, removed?.workloadsReplaced, removed?.policiesChanged]).to.deep.equal([[], [], false]);
    });

    it('do not happen for an equal policy, which every reconnect resends', () => {
      expect(changesOf((store) => void store.apply(policyPush({ policies: [authorization()] })))).to.deep.equal([]);
      const changed = changesOf((store) => void store.apply(policyPush({ policies: [authorization({ action: 'DENY' })] })));
      expect(changed.map(({ policiesChanged }) => policiesChanged)).to.deep.equal([true]);
    });

    it('do not happen for an empty push or a removal of what is not there', () => {
      const quiet = changesOf((store) => {
        store.apply(addressPush({}));
        store.apply(addressPush({}, ['unknown']));
        store.apply(policyPush({}, ['bank/unknown']));
      });
      expect(quiet).to.deep.equal([]);
    });

    it('reach the other listeners when one throws, and none that unsubscribed', () => {
      const store = storeOf();
      let heard = 0;
      store.onChange(() => {
        throw new Error('broken listener');
      });
      store.onChange(() => void heard++);
      store.onChange(() => void (heard += 10))();
      store.apply(addressPush({ workloads: [workload()] }));
      expect(heard).to.equal(1);
    });
  });

  describe('awaitWorkload', () => {
    it('gives a known workload at once', async () => {
      const store = storeOf({ workloads: [workload()] });
      expect((await store.awaitWorkload(pod, forever))?.name).to.equal('client');
      expect(store.waiting).to.equal(0);
    });

    it('gives the workload as soon as it is pushed, and only to those who wait for it', async () => {
      const clock = new FakeClock();
      const store = storeOf({}, clock);
      const waits = [store.awaitWorkload(pod, forever), store.awaitWorkload({ ...pod, serviceAccount: 'other' }, forever)];
      store.apply(addressPush({ workloads: [workload({ name: 'unrelated' })] }));
      expect(store.waiting).to.equal(2);
      store.apply(addressPush({ workloads: [workload()] }));
      clock.advance(5_000);
      expect((await Promise.all(waits)).map((found) => found?.name)).to.deep.equal(['client', undefined]);
      expect([store.waiting, clock.pendingTimers]).to.deep.equal([0, 0]);
    });

    it('gives up after 5 s', async () => {
      const clock = new FakeClock();
      const store = storeOf({}, clock);
      const waiting = store.awaitWorkload(pod, forever);
      clock.advance(4_999);
      expect(store.waiting).to.equal(1);
      clock.advance(1);
      expect(await waiting).to.equal(undefined);
      expect(store.waiting).to.equal(0);
    });

    it('rejects with the signal’s reason and forgets the waiter', async () => {
      const clock = new FakeClock();
      const store = storeOf({}, clock);
      const controller = new AbortController();
      const waiting = store.awaitWorkload(pod, controller.signal);
      controller.abort(new Error('client gone'));
      const error = await waiting.catch((reason: unknown) => reason);
      expect(error).to.be.instanceOf(Error).with.property('message', 'client gone');
      expect([store.waiting, clock.pendingTimers]).to.deep.equal([0, 0]);
    });
  });

  it('knows nothing at first', () => {
    const { current } = storeOf();
    expect(current.workload('x' as WorkloadUid)).to.equal(undefined);
    expect([...current.workloads, ...current.services, ...current.policies]).to.deep.equal([]);
  });
});
