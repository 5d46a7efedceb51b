import { create } from '@bufbuild/protobuf';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { NodeSchema } from '@clearmesh/shared/wire/gen/xds/discovery_pb';
import { ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL } from '@clearmesh/shared/wire/type-urls';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { authorization, service, workload } from '@clearmesh/shared/testing/builders';
import type { JsonObject } from '@bufbuild/protobuf';
import { Wakeup } from '../../src/lifecycle/wakeup.ts';
import { modelResources, sameResources } from '../../src/publish/model-resources.ts';
import { nodeMismatch } from '../../src/publish/node-identity.ts';
import { Publisher } from '../../src/publish/publisher.ts';
import { RequestInbox } from '../../src/publish/request-inbox.ts';
import type { MeshModel } from '../../src/derive/mesh-model.ts';

function model(parts: Partial<MeshModel> = {}): MeshModel {
  return { workloads: [], services: [], policies: [], notes: [], ...parts };
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

describe('nodeMismatch', () => {
  const caller = { namespace: 'clearmesh-system', serviceAccount: 'ztunnel' };
  const check = (id: string, metadata: JsonObject = {}): string | undefined =>
    nodeMismatch(create(NodeSchema, { id, metadata }), caller);
  const id = 'ztunnel~10.0.0.1~ztunnel-a.clearmesh-system~clearmesh-system.svc.cluster.local';

  it('accepts a node of the token’s namespace and account', () => {
    expect(check(id)).to.equal(undefined);
    expect(check(id, { NAMESPACE: 'clearmesh-system', SERVICE_ACCOUNT: 'ztunnel' })).to.equal(undefined);
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
