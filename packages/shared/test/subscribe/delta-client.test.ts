import { expect } from 'chai';
import { describe, it } from 'mocha';
import { DeltaClient } from '@clearmesh/shared/subscribe/delta-client';
import type { DeltaPush, Rejection } from '@clearmesh/shared/subscribe/delta-client';
import { proxyNode } from '@clearmesh/shared/subscribe/proxy-node';
import type { DeltaDiscoveryResponse } from '@clearmesh/shared/wire/gen/xds/discovery_pb';
import { ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL } from '@clearmesh/shared/wire/type-urls';
import seen from '../vectors/seen.json' with { type: 'json' };
import { response } from './messages.ts';

const node = proxyNode({
  instanceIp: '10.98.0.10',
  podName: 'ztunnel-x',
  podNamespace: 'mesh-system',
  nodeName: 'w-node-1',
  metadata: { FLAVOUR: 'plum' },
});

const accept = (): readonly Rejection[] => [];
const reject =
  (...names: readonly string[]) =>
  (): readonly Rejection[] =>
    names.map((name) => ({ name, reason: `${name} is bad` }));

function pushOf(client: DeltaClient, given: DeltaDiscoveryResponse): DeltaPush | undefined {
  let applied: DeltaPush | undefined;
  client.recvResponse(given, (push) => {
    applied = push;
    return [];
  });
  return applied;
}

const versions = (client: DeltaClient): Record<string, string> => client.connected()[0]?.initialResourceVersions ?? {};
const policies = (...names: string[]): DeltaDiscoveryResponse =>
  response(Object.fromEntries(names.map((name) => [name, {}])), [], AUTHORIZATION_TYPE_URL);

describe('the node of a proxy', () => {
  it('names itself as seen on the wire', () => {
    expect(node.id).to.equal('ztunnel~10.98.0.10~ztunnel-x.mesh-system~mesh-system.svc.cluster.local');
    expect(node.metadata).to.deep.equal({
      NAME: 'ztunnel-x',
      NAMESPACE: 'mesh-system',
      INSTANCE_IPS: '10.98.0.10',
      NODE_NAME: 'w-node-1',
      FLAVOUR: 'plum',
    });
  });

  it('has the address 1.1.1.1 where it does not know its own', () => {
    expect(proxyNode({ podName: 'p', podNamespace: 'n', nodeName: 'x' }).id).to.equal('ztunnel~1.1.1.1~p.n~n.svc.cluster.local');
  });
});

describe('a new stream', () => {
  it('begins with one request per type, with node and without names', () => {
    const requests = new DeltaClient({ node }).connected();
    expect(requests.map(({ typeUrl }) => typeUrl)).to.deep.equal([ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL]);
    for (const request of requests) {
      expect(request).to.deep.include({
        node,
        resourceNamesSubscribe: [],
        resourceNamesUnsubscribe: [],
        initialResourceVersions: {},
        responseNonce: '',
      });
    }
  });

  it('S1 tells the versions known', () => {
    const client = new DeltaClient({ node });
    client.connected();
    const resources = Object.fromEntries(Object.entries(seen.reconnect).map(([name, version]) => [name, { version }]));
    client.recvResponse(response(resources), accept);
    expect(versions(client)).to.deep.equal(seen.reconnect);
  });

  it('S1 tells policies by name, so that vanished ones are removed', () => {
    const client = new DeltaClient({ node });
    client.recvResponse(policies('bank/a', 'bank/b'), accept);
    expect(client.connected()[1]?.initialResourceVersions).to.deep.equal({ 'bank/a': '', 'bank/b': '' });
  });
});

describe('a response', () => {
  it('is acknowledged by type and nonce, without node', () => {
    const given = response({ a: {} });
    const ack = new DeltaClient({ node }).recvResponse(given, accept);
    expect(ack).to.deep.include({ typeUrl: ADDRESS_TYPE_URL, responseNonce: given.nonce, resourceNamesSubscribe: [] });
    expect([ack.node, ack.errorDetail]).to.deep.equal([undefined, undefined]);
  });

  it('is applied with removals and upserts apart', () => {
    const push = pushOf(new DeltaClient({ node }), response({ a: { version: 'v1', value: 'A' } }, ['b']));
    expect(push).to.deep.equal({
      typeUrl: ADDRESS_TYPE_URL,
      removed: ['b'],
      upserts: [{ name: 'a', version: 'v1', value: new TextEncoder().encode('A') }],
    });
  });

  it('S3 removes a name that it both removes and sends', () => {
    const client = new DeltaClient({ node });
    const push = pushOf(client, response({ a: { version: 'v1' }, b: { version: 'v1' } }, ['a']));
    expect([push?.removed, push?.upserts.map(({ name }) => name)]).to.deep.equal([['a'], ['b']]);
    expect(versions(client)).to.deep.equal({ b: 'v1' });
  });

  it('forgets the version of what it removes', () => {
    const client = new DeltaClient({ node });
    client.recvResponse(response({ a: { version: 'v1' }, b: { version: 'v1' } }), accept);
    client.recvResponse(response({}, ['a', 'never-known']), accept);
    expect(versions(client)).to.deep.equal({ b: 'v1' });
  });

  it('is refused with all reasons, the good part kept', () => {
    const client = new DeltaClient({ node });
    const nack = client.recvResponse(
      response({ a: { version: 'v1' }, b: { version: 'v1' }, c: { version: 'v1' } }),
      reject('a', 'c'),
    );
    expect(nack.errorDetail?.message).to.equal('a: a is bad, c: c is bad');
    expect(nack.responseNonce).to.equal('nonce-a+b+c');
    expect(versions(client)).to.deep.equal({ b: 'v1' });
  });

  it('S2 keeps the last good version of what it rejects', () => {
    const client = new DeltaClient({ node });
    client.recvResponse(response({ a: { version: 'v1' } }), accept);
    client.recvResponse(response({ a: { version: 'v2' } }), reject('a'));
    expect(versions(client)).to.deep.equal({ a: 'v1' });
  });

  it('S2 tells the next stream of a policy it rejected, so that it hears of its removal', () => {
    const client = new DeltaClient({ node });
    client.recvResponse(response({ a: {} }, [], AUTHORIZATION_TYPE_URL), reject('a'));
    expect(client.connected()[1]?.initialResourceVersions).to.deep.equal({ a: '' });
  });

  it('spells out a hundred reasons and counts the rest', () => {
    const names = Array.from({ length: 150 }, (_, at) => `r${at}`);
    const nack = new DeltaClient({ node }).recvResponse(
      response(Object.fromEntries(names.map((name) => [name, {}]))),
      reject(...names),
    );
    expect(nack.errorDetail?.message).to.match(/r99: r99 is bad, and 50 more$/);
  });

  it('of another type is refused and not applied', () => {
    const client = new DeltaClient({ node });
    const nack = client.recvResponse(response({ a: {} }, [], 'type.googleapis.com/other'), () => expect.fail('applied'));
    expect(nack).to.deep.include({ typeUrl: 'type.googleapis.com/other' });
    expect(nack.errorDetail?.message).to.include('was not asked for');
  });

  it('refuses resources without name, content or the right type, and applies the others', () => {
    const client = new DeltaClient({ node });
    const given = response({ '': {}, empty: {}, odd: {}, good: { version: 'v1' } });
    delete given.resources[1]!.resource;
    given.resources[2]!.resource!.typeUrl = AUTHORIZATION_TYPE_URL;
    let applied: readonly string[] = [];
    const nack = client.recvResponse(given, (push) => {
      applied = push.upserts.map(({ name }) => name);
      return [];
    });
    expect(applied).to.deep.equal(['good']);
    expect(nack.errorDetail?.message).to.match(/needs a name, empty: .*, odd: the resource is of type .*Authorization$/);
    expect(versions(client)).to.deep.equal({ good: 'v1' });
  });
});

describe('the first sync', () => {
  it('is reached when a response of each type was acknowledged', () => {
    const client = new DeltaClient({ node });
    const reached = [client.synced];
    client.recvResponse(response({}), accept);
    reached.push(client.synced);
    client.recvResponse(policies(), accept);
    reached.push(client.synced);
    expect(reached).to.deep.equal([false, false, true]);
  });

  it('is not reached by a refused response, and survives a new stream', () => {
    const client = new DeltaClient({ node });
    client.recvResponse(response({ a: {} }), reject('a'));
    client.recvResponse(policies(), accept);
    expect(client.synced).to.equal(false);
    client.recvResponse(response({}), accept);
    client.connected();
    client.recvResponse(response({ a: {} }), reject('a'));
    expect(client.synced).to.equal(true);
  });
});

describe('asking on demand', () => {
  it('subscribes to nothing at first, for addresses only', () => {
    const [addresses, authorizations] = new DeltaClient({ node, onDemand: true }).connected();
    expect([addresses?.resourceNamesSubscribe, addresses?.resourceNamesUnsubscribe]).to.deep.equal([['*'], ['*']]);
    expect([authorizations?.resourceNamesSubscribe, authorizations?.resourceNamesUnsubscribe]).to.deep.equal([[], []]);
  });

  it('asks for one name, once', () => {
    const client = new DeltaClient({ node, onDemand: true });
    expect(client.ask('net-1/10.98.0.5')).to.equal(true);
    expect(client.takeRequest()).to.deep.include({
      typeUrl: ADDRESS_TYPE_URL,
      resourceNamesSubscribe: ['net-1/10.98.0.5'],
      responseNonce: '',
    });
    expect(client.ask('net-1/10.98.0.5')).to.equal(true);
    expect([client.takeRequest(), client.stateOf('net-1/10.98.0.5')]).to.deep.equal([undefined, 'pending']);
  });

  it('says in one request what was asked for and given up since the last', () => {
    const client = new DeltaClient({ node, onDemand: true });
    client.ask('gone');
    client.recvResponse(response({}, ['gone']), accept);
    client.takeRequest();
    for (const name of ['x', 'y']) client.ask(name);
    client.giveUp('gone');
    client.giveUp('never asked for');
    expect(client.takeRequest()).to.deep.include({ resourceNamesSubscribe: ['x', 'y'], resourceNamesUnsubscribe: ['gone'] });
    expect([client.stateOf('gone'), client.takeRequest()]).to.deep.equal([undefined, undefined]);
  });

  it('asks again for what was given up and is wanted again', () => {
    const client = new DeltaClient({ node, onDemand: true, maxPending: 1 });
    client.ask('x');
    client.giveUp('x');
    client.ask('x');
    expect(client.takeRequest()).to.deep.include({ resourceNamesSubscribe: ['x'], resourceNamesUnsubscribe: [] });
  });

  const answers: readonly (readonly [title: string, answer: DeltaDiscoveryResponse])[] = [
    ['a resource of that name', response({ x: {} })],
    ['a resource of that alias', response({ uid: { aliases: ['net-1/10.98.0.5', 'x'] } })],
    ['its removal, when nothing has that name', response({}, ['x'])],
  ];
  for (const [title, answer] of answers) {
    it(`S4 is answered by ${title}`, () => {
      const client = new DeltaClient({ node, onDemand: true });
      client.ask('x');
      client.ask('y');
      client.recvResponse(policies('x'), accept);
      expect([client.stateOf('x'), client.takeAnswered()]).to.deep.equal(['pending', []]);
      client.recvResponse(answer, accept);
      expect([client.stateOf('x'), client.stateOf('y')]).to.deep.equal(['answered', 'pending']);
      expect([client.takeAnswered(), client.takeAnswered()]).to.deep.equal([['x'], []]);
    });
  }

  it('awaits no answer for what is known by that name, and still subscribes to it', () => {
    const client = new DeltaClient({ node, onDemand: true });
    client.recvResponse(response({ x: { version: 'v1' } }), accept);
    client.ask('x');
    expect([client.stateOf('x'), client.takeRequest()?.resourceNamesSubscribe]).to.deep.equal(['answered', ['x']]);
  });

  it('asks for no more names at a time than it may', () => {
    const client = new DeltaClient({ node, onDemand: true, maxPending: 1 });
    client.ask('x');
    expect([client.ask('y'), client.stateOf('y')]).to.deep.equal([false, undefined]);
    client.recvResponse(response({}, ['x']), accept);
    expect([client.ask('y'), client.stateOf('y')]).to.deep.equal([true, 'pending']);
  });

  it('subscribes to no more names than it may', () => {
    const client = new DeltaClient({ node, onDemand: true, maxNames: 1 });
    client.ask('x');
    client.recvResponse(response({}, ['x']), accept);
    expect(client.ask('y')).to.equal(false);
    client.giveUp('x');
    expect(client.ask('y')).to.equal(true);
  });

  it('tells a new stream what is pending, without version', () => {
    const client = new DeltaClient({ node, onDemand: true });
    for (const [name, version] of Object.entries(seen.onDemandReconnect)) {
      if (version === '') client.ask(name);
      else client.recvResponse(response({ [name]: { version } }), accept);
    }
    expect(versions(client)).to.deep.equal(seen.onDemandReconnect);
  });

  it('tells a new stream every name that was asked for, answered or not, but none that was given up', () => {
    const client = new DeltaClient({ node, onDemand: true });
    for (const name of ['net/1', 'net/2', 'net/3']) client.ask(name);
    client.recvResponse(response({ uid: { version: 'v1', aliases: ['net/1'] } }, ['net/2']), accept);
    client.giveUp('net/3');
    expect(versions(client)).to.deep.equal({ 'net/1': '', 'net/2': '', uid: 'v1' });
    expect(client.takeRequest()).to.equal(undefined);
  });

  it('asks for nothing when everything is subscribed', () => {
    const client = new DeltaClient({ node });
    expect([client.ask('x'), client.takeRequest(), client.stateOf('x')]).to.deep.equal([false, undefined, undefined]);
  });
});
