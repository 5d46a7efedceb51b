import { create } from '@bufbuild/protobuf';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { NodeSchema } from '@clearmesh/shared/wire/gen/xds/discovery_pb';
import { ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL, WAYPOINT_CONFIGURATION_TYPE_URL } from '@clearmesh/shared/wire/type-urls';
import type { WaypointConfiguration } from '@clearmesh/shared/model/l7/configuration';
import type { PublishedResource, ResourceSet } from '@clearmesh/shared/subscribe/resource-set';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { authorization, service, workload } from '@clearmesh/shared/testing/builders';
import type { JsonObject } from '@bufbuild/protobuf';
import { Wakeup } from '../../src/lifecycle/wakeup.ts';
import { modelResources, sameResources } from '../../src/publish/model-resources.ts';
import { ClientView } from '../../src/publish/client-view.ts';
import { nodeMismatch, proxyKindOf } from '../../src/publish/node-identity.ts';
import { Publisher } from '../../src/publish/publisher.ts';
import { RequestInbox } from '../../src/publish/request-inbox.ts';
import type { MeshModel } from '../../src/derive/mesh-model.ts';

function model(parts: Partial<MeshModel> = {}): MeshModel {
  const bindings = { services: new Map(), workloads: new Map() };
  const none = { reach: new Map(), automaticAddresses: new Map(), entryOf: new Map(), notes: [] };
  return { workloads: [], services: [], policies: [], waypoints: [], bindings, ...none, ...parts };
}

describe('modelResources', () => {
  const full = model({
    workloads: [workload({ name: 'a', addresses: ['10.0.0.1', 'fd00::1'] })],
    services: [service({ name: 's', addresses: ['10.96.0.1'] })],
    policies: [authorization({ name: 'p', namespace: 'bank' })],
  });

  it('names resources and aliases as proxies ask for them', () => {
    const resources = modelResources(full, undefined);
    expect([...resources.get(ADDRESS_TYPE_URL)!].map(([name, { aliases }]) => [name, aliases])).to.deep.equal([
      ['Kubernetes//Pod/bank/a', ['/10.0.0.1', '/fd00::1']],
      ['bank/s.bank.svc.cluster.local', ['/10.96.0.1']],
    ]);
    expect([...resources.get(AUTHORIZATION_TYPE_URL)!.keys()]).to.deep.equal(['bank/p']);
  });

  it('gives equal content equal versions, and other content others', () => {
    const version = (w: MeshModel['workloads'][number]): string | undefined =>
      modelResources(model({ workloads: [w] }), undefined)
        .get(ADDRESS_TYPE_URL)
        ?.get(w.uid)?.version;
    expect(version(workload({ name: 'a' }))).to.match(/^[0-9a-f]{24}$/);
    expect(version(workload({ name: 'a' }))).to.equal(version(workload({ name: 'a' })));
    expect(version(workload({ name: 'a' }))).not.to.equal(version(workload({ name: 'a', status: 'UNHEALTHY' })));
  });

  it('names the configuration of a waypoint after its Gateway, with a version of its content', () => {
    const policies = { authorization: {}, jwt: {}, opa: {}, resilience: {}, rateLimits: {}, faults: {} };
    const gate = { namespace: 'ledger', name: 'gate', environment: 'test', services: [], workloads: [], policies } as const;
    const of = (waypoint: WaypointConfiguration): readonly (readonly [string, string])[] => {
      const resources = modelResources(model({ waypoints: [waypoint] }), undefined).get(WAYPOINT_CONFIGURATION_TYPE_URL);
      return [...(resources ?? [])].map(([name, { version }]) => [name, version]);
    };
    expect(of(gate)[0]?.[0]).to.equal('ledger/gate');
    expect(of(gate)).to.deep.equal(of({ ...gate }));
    expect(of(gate)).not.to.deep.equal(of({ ...gate, environment: 'production' }));
  });

  it('keeps the very map of a type that did not change', () => {
    const first = modelResources(full, undefined);
    const again = modelResources(full, first);
    expect(sameResources(first, again)).to.equal(true);
    const changed = modelResources({ ...full, policies: [] }, first);
    expect(changed.get(ADDRESS_TYPE_URL)).to.equal(first.get(ADDRESS_TYPE_URL));
    expect(sameResources(first, changed)).to.equal(false);
  });
});

describe('Publisher', () => {
  it('has nothing before the first model, and tells of a burst once', () => {
    const clock = new FakeClock();
    const publisher = new Publisher({}, { clock });
    let told = 0;
    publisher.onChange(() => void (told += 1));
    expect(publisher.current).to.equal(undefined);
    for (const name of ['a', 'b', 'c']) expect(publisher.publish(model({ workloads: [workload({ name })] }))).to.equal(true);
    expect(told).to.equal(0);
    clock.advance(10);
    expect(told).to.equal(1);
    expect(publisher.current?.get(ADDRESS_TYPE_URL)?.has('Kubernetes//Pod/bank/c')).to.equal(true);
  });

  it('says nothing when nothing changed on the wire', () => {
    const clock = new FakeClock();
    const publisher = new Publisher({}, { clock });
    publisher.publish(model());
    clock.advance(100);
    expect(publisher.publish(model({ notes: [{ object: 'x', message: 'y' }] }))).to.equal(false);
    expect(clock.pendingTimers).to.equal(0);
  });

  it('forgets who unsubscribed', () => {
    const clock = new FakeClock();
    const publisher = new Publisher({}, { clock });
    let told = 0;
    publisher.onChange(() => void (told += 1))();
    publisher.publish(model());
    clock.advance(10);
    expect(told).to.equal(0);
  });
});

describe('RequestInbox', () => {
  it('reads one request ahead, and no further', async () => {
    let pulled = 0;
    async function* requests(): AsyncGenerator<number> {
      for (let i = 1; i <= 3; i++) {
        pulled = i;
        yield i;
      }
    }
    const bell = new Wakeup();
    const inbox = new RequestInbox(requests(), { bell });
    const seen: number[] = [];
    while (!inbox.ended) {
      await bell.wait();
      const request = inbox.take();
      if (request !== undefined) {
        expect(pulled).to.equal(request);
        seen.push(request);
      }
    }
    expect(seen).to.deep.equal([1, 2, 3]);
    expect(inbox.take()).to.equal(undefined);
  });

  it('takes a stream that breaks for one that ends', async () => {
    async function* requests(): AsyncGenerator<number> {
      yield 1;
      throw new Error('reset');
    }
    const bell = new Wakeup();
    const inbox = new RequestInbox(requests(), { bell });
    await bell.wait();
    expect(inbox.take()).to.equal(1);
    await bell.wait();
    expect(inbox.ended).to.equal(true);
  });
});

describe('ClientView', () => {
  const configuration = (name: string, version: string): [string, PublishedResource] => [
    name,
    { version, value: Uint8Array.of(1), aliases: [] },
  ];
  const published = (...resources: [string, PublishedResource][]): ResourceSet =>
    new Map([
      [ADDRESS_TYPE_URL, new Map()],
      [WAYPOINT_CONFIGURATION_TYPE_URL, new Map(resources)],
    ]);
  const namesIn = (view: ResourceSet): readonly string[] => [...(view.get(WAYPOINT_CONFIGURATION_TYPE_URL)?.keys() ?? [])];
  const caller = { namespace: 'ledger', serviceAccount: 'gate' };

  it('shows a waypoint its own configuration only', () => {
    const all = published(configuration('ledger/gate', '1'), configuration('ledger/other', '1'), configuration('bank/gate', '1'));
    expect(namesIn(new ClientView('waypoint', caller).of(all))).to.deep.equal(['ledger/gate']);
    expect(namesIn(new ClientView('waypoint', { ...caller, serviceAccount: 'x' }).of(all))).to.deep.equal([]);
  });

  it('shows a node proxy none', () => {
    const view = new ClientView('ztunnel', caller).of(published(configuration('ledger/gate', '1')));
    expect([...view.keys()]).to.deep.equal([ADDRESS_TYPE_URL]);
  });

  it('keeps the very map while the own configuration stays as it is', () => {
    const view = new ClientView('waypoint', caller);
    const map = (version: string, other: string): unknown =>
      view
        .of(published(configuration('ledger/gate', version), configuration('ledger/other', other)))
        .get(WAYPOINT_CONFIGURATION_TYPE_URL);
    const first = map('1', '1');
    expect(map('1', '2')).to.equal(first);
    expect(map('2', '2')).not.to.equal(first);
    expect(namesIn(view.of(published()))).to.deep.equal([]);
  });
});

describe('nodeMismatch', () => {
  const caller = { namespace: 'clearmesh-system', serviceAccount: 'ztunnel' };
  const check = (id: string, metadata: JsonObject = {}): string | undefined =>
    nodeMismatch(create(NodeSchema, { id, metadata }), caller);
  const id = 'ztunnel~10.0.0.1~ztunnel-a.clearmesh-system~clearmesh-system.svc.cluster.local';

  it('accepts a node of the token’s namespace and account', () => {
    expect(check(id)).to.equal(undefined);
    expect(check(id, { NAMESPACE: 'clearmesh-system', SERVICE_ACCOUNT: 'ztunnel' })).to.equal(undefined);
  });

  it('accepts waypoints, by the same rules', () => {
    const gate = { namespace: 'ledger', serviceAccount: 'gate' };
    const mismatch = (nodeId: string): string | undefined => nodeMismatch(create(NodeSchema, { id: nodeId }), gate);
    expect(mismatch('waypoint~10.0.0.1~gate-0.ledger~ledger.svc.cluster.local')).to.equal(undefined);
    expect(mismatch('waypoint~10.0.0.1~gate-0.bank~bank.svc.cluster.local')).to.match(/"bank"/);
    expect(proxyKindOf(create(NodeSchema, { id: 'waypoint~10.0.0.1~gate-0.ledger~x' }))).to.equal('waypoint');
    expect(proxyKindOf(create(NodeSchema, { id: 'router~10.0.0.1~gate-0.ledger~x' }))).to.equal(undefined);
  });

  const refused: readonly [string, string, JsonObject, RegExp][] = [
    ['of another namespace by its id', 'ztunnel~10.0.0.1~z.bank~x', {}, /"bank"/],
    ['of another namespace by its metadata', id, { NAMESPACE: 'bank' }, /"bank"/],
    ['whose namespace is no text', id, { NAMESPACE: ['clearmesh-system'] }, /namespace/],
    ['of another account', id, { SERVICE_ACCOUNT: 'teller' }, /"teller"/],
    ['of another type', 'sidecar~10.0.0.1~z.clearmesh-system~x', {}, /form ztunnel~/],
    ['without an id', '', {}, /form ztunnel~/],
  ];
  for (const [title, nodeId, metadata, reason] of refused) {
    it(`refuses a node ${title}`, () => {
      expect(check(nodeId, metadata)).to.match(reason);
    });
  }

  it('refuses a request that describes none', () => {
    expect(nodeMismatch(undefined, caller)).to.match(/no node/);
  });
});
