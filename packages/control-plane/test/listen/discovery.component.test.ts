import { eventually } from '@clearmesh/shared/testing/ask-until';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { Code, ConnectError } from '@connectrpc/connect';
import { decodeAddress } from '@clearmesh/shared/wire/wds';
import { DeltaClient } from '@clearmesh/shared/subscribe/delta-client';
import { proxyNode } from '@clearmesh/shared/subscribe/proxy-node';
import { ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL } from '@clearmesh/shared/wire/type-urls';
import type { DeltaDiscoveryResponse } from '@clearmesh/shared/wire/gen/xds/discovery_pb';
import { DiscoveryPeer, node, RunningControlPlane } from '../fixtures/running-control-plane.ts';
import { podText } from '../fixtures/watched-directory.ts';
import type { TokenSpec } from '../fixtures/token-issuer.ts';

const uid = (name: string): string => `Kubernetes//Pod/bank/${name}`;
const names = (response: DeltaDiscoveryResponse | undefined): readonly string[] | undefined =>
  response?.resources.map(({ name }) => name);

/** A stream that has got and acknowledged its first addresses. */
async function subscribed(running: RunningControlPlane): Promise<DiscoveryPeer> {
  const peer = await running.discover();
  peer.send({ node, typeUrl: ADDRESS_TYPE_URL });
  peer.acknowledge((await peer.next())!);
  return peer;
}

async function codeOf(peer: DiscoveryPeer): Promise<Code | undefined> {
  const failure = await peer.next().catch((error: unknown) => error);
  return failure instanceof ConnectError ? failure.code : undefined;
}

describe('discovery over TLS', () => {
  it('serves a proxy everything, then what changes, until both know the same', async () => {
    await using running = await RunningControlPlane.start({ 'manifests/a.yaml': podText('a', '10.244.1.1') });
    const peer = await running.discover();
    const client = new DeltaClient({ node });
    const held = new Map<string, string>();
    const receive = async (): Promise<void> => {
      const response = (await peer.next())!;
      peer.send(
        client.recvResponse(response, ({ typeUrl, removed, upserts }) => {
          for (const name of removed) held.delete(name);
          for (const { name, value } of upserts)
            held.set(name, typeUrl === ADDRESS_TYPE_URL ? decodeAddress(value).kind : 'policy');
          return [];
        }),
      );
    };
    for (const request of client.connected()) peer.send(request);
    await receive();
    await receive();
    expect(client.synced).to.equal(true);
    expect(Object.fromEntries(held)).to.deep.equal({
      [uid('a')]: 'workload',
      'clearmesh-system/istio_converted_static_strict': 'policy',
    });
    await running.replace('manifests/b.yaml', podText('b', '10.244.1.2'));
    await receive();
    expect([...held.keys()]).to.include(uid('b'));
    await running.replace('manifests/a.yaml', '# gone\n');
    await receive();
    expect([...held.keys()]).not.to.include(uid('a'));
    peer.end();
    expect(await peer.next()).to.equal(undefined);
  });

  it('delivers a change to a connected proxy well within a second', async () => {
    await using running = await RunningControlPlane.start({ 'manifests/a.yaml': podText('a', '10.244.1.1') });
    const peer = await subscribed(running);
    const before = performance.now();
    await running.replace('manifests/b.yaml', podText('b', '10.244.1.2'));
    expect(names(await peer.next())).to.deep.equal([uid('b')]);
    expect(performance.now() - before).to.be.lessThan(1000);
  });

  it('sends a proxy that comes back only what it lacks, and what is gone', async () => {
    await using running = await RunningControlPlane.start({ 'manifests/a.yaml': podText('a', '10.244.1.1') });
    const first = await running.discover();
    first.send({ node, typeUrl: ADDRESS_TYPE_URL });
    const version = (await first.next())!.resources[0]!.version;
    expect(version).to.match(/^[0-9a-f]{24}$/);
    first.reset();
    await running.replace('manifests/b.yaml', podText('b', '10.244.1.2'));
    const again = await running.discover();
    again.send({ node, typeUrl: ADDRESS_TYPE_URL, initialResourceVersions: { [uid('a')]: version, [uid('old')]: 'x' } });
    let response = (await again.next())!;
    expect(response.removedResources).to.deep.equal([uid('old')]);
    if (response.resources.length === 0) {
      again.acknowledge(response);
      response = (await again.next())!;
    }
    expect(names(response)).to.deep.equal([uid('b')]);
  });

  it('gives policies no version, so that they are sent again after a reconnect', async () => {
    await using running = await RunningControlPlane.start();
    const peer = await running.discover();
    peer.send({ node, typeUrl: AUTHORIZATION_TYPE_URL });
    expect((await peer.next())?.resources.map(({ name, version }) => [name, version])).to.deep.equal([
      ['clearmesh-system/istio_converted_static_strict', ''],
    ]);
  });

  it('answers by address, with aliases', async () => {
    await using running = await RunningControlPlane.start({ 'manifests/a.yaml': podText('a', '10.244.1.1') });
    const peer = await running.discover();
    peer.send({ node, typeUrl: ADDRESS_TYPE_URL, resourceNamesSubscribe: ['*'], resourceNamesUnsubscribe: ['*'] });
    const empty = (await peer.next())!;
    expect(empty.resources).to.deep.equal([]);
    peer.acknowledge(empty);
    peer.send({ typeUrl: ADDRESS_TYPE_URL, resourceNamesSubscribe: ['/10.244.1.1'] });
    const found = (await peer.next())!;
    expect(found.resources.map(({ name, aliases }) => [name, aliases])).to.deep.equal([[uid('a'), ['/10.244.1.1']]]);
    peer.acknowledge(found);
    peer.send({ typeUrl: ADDRESS_TYPE_URL, resourceNamesSubscribe: ['/10.244.9.9'] });
    expect((await peer.next())?.removedResources).to.deep.equal(['/10.244.9.9']);
  });

  it('sends nothing while the configuration was never good, and all once it is', async () => {
    await using running = await RunningControlPlane.start({ 'manifests/a.yaml': 'kind: [' });
    const ready = await fetch(`http://127.0.0.1:${running.plane.adminAddress?.port}/healthz/ready`);
    expect([ready.status, await ready.text()]).to.deep.equal([503, 'no valid configuration yet\n']);
    const peer = await running.discover();
    peer.send({ node, typeUrl: ADDRESS_TYPE_URL });
    const first = peer.next();
    await running.replace('manifests/a.yaml', podText('a', '10.244.1.1'));
    expect(names(await first)).to.deep.equal([uid('a')]);
  });

  it('keeps serving the last good configuration when the next is rejected', async () => {
    await using running = await RunningControlPlane.start({ 'manifests/a.yaml': podText('a', '10.244.1.1') });
    await running.replace('manifests/b.yaml', 'kind: [');
    await logged(running, /configuration rejected/);
    const peer = await running.discover();
    peer.send({ node, typeUrl: ADDRESS_TYPE_URL });
    expect(names(await peer.next())).to.deep.equal([uid('a')]);
  });

  it('logs and counts what a proxy rejects, and goes on', async () => {
    await using running = await RunningControlPlane.start({ 'manifests/a.yaml': podText('a', '10.244.1.1') });
    const peer = await running.discover();
    peer.send({ node, typeUrl: ADDRESS_TYPE_URL });
    peer.acknowledge((await peer.next())!, `${uid('a')}: no such address family`);
    await running.replace('manifests/b.yaml', podText('b', '10.244.1.2'));
    expect(names(await peer.next())).to.deep.equal([uid('b')]);
    const line = running.log.find((text) => text.includes('a proxy rejected resources'));
    expect(JSON.parse(line ?? '{}')).to.deep.include({
      level: 'warn',
      type: ADDRESS_TYPE_URL,
      account: 'clearmesh-system/ztunnel',
      node: 'node-a',
      reason: `${uid('a')}: no such address family`,
    });
    const metrics = await running.metrics();
    expect(metrics).to.contain(`clearmesh_discovery_nacks_total{type="${ADDRESS_TYPE_URL}"} 1\n`);
    expect(metrics).to.contain(`clearmesh_discovery_pushes_total{type="${ADDRESS_TYPE_URL}"} 2\n`);
    expect(metrics).to.contain('clearmesh_discovery_clients 1\n');
  });

  it('counts a proxy no more that is gone', async () => {
    await using running = await RunningControlPlane.start();
    const peer = await subscribed(running);
    peer.reset();
    await eventually('the client is gone', async () => (await running.metrics()).includes('clearmesh_discovery_clients 0\n'), {
      limitMs: 5_000,
    });
  });

  it('ends a stream when its token is believed no more, and takes the proxy back with another', async () => {
    await using running = await RunningControlPlane.start();
    // Believed for ten seconds more than it says, of which eight are over.
    const peer = await running.discover({ expiresInS: -8 });
    peer.send({ node, typeUrl: ADDRESS_TYPE_URL });
    peer.acknowledge((await peer.next())!);
    expect(await peer.next()).to.equal(undefined);
    await subscribed(running);
  });

  it('bounds the streams of one pod', async () => {
    await using running = await RunningControlPlane.start();
    for (let i = 0; i < 4; i++) await subscribed(running);
    const fifth = await running.discover();
    fifth.send({ node, typeUrl: ADDRESS_TYPE_URL });
    expect(await codeOf(fifth)).to.equal(Code.ResourceExhausted);
    const other = await running.discover({ pod: { name: 'ztunnel-b', uid: 'uid-b' } });
    other.send({ node, typeUrl: ADDRESS_TYPE_URL });
    expect(await other.next()).not.to.equal(undefined);
  });

  it('ends streams when it drains, and takes no new ones', async () => {
    await using running = await RunningControlPlane.start();
    const peer = await subscribed(running);
    const drained = running.plane.drain();
    expect(await peer.next()).to.equal(undefined);
    await drained;
    const late = await running.discover();
    late.send({ node, typeUrl: ADDRESS_TYPE_URL });
    expect(await codeOf(late)).to.equal(Code.Unavailable);
  });
});

describe('discovery refuses', () => {
  const tokens: readonly [string, TokenSpec][] = [
    ['a token for another audience', { audience: 'vault' }],
    ['a token of another issuer', { issuer: 'evil' }],
    ['an expired token', { expiresInS: -60 }],
    ['a token of another namespace than the node’s', { namespace: 'bank', serviceAccount: 'ztunnel' }],
  ];
  for (const [title, spec] of tokens) {
    it(title, async () => {
      await using running = await RunningControlPlane.start();
      const peer = await running.discover(spec);
      peer.send({ node, typeUrl: ADDRESS_TYPE_URL });
      expect(await codeOf(peer)).to.equal(Code.Unauthenticated);
    });
  }

  it('a call without token, and tells nobody why', async () => {
    await using running = await RunningControlPlane.start();
    const peer = new DiscoveryPeer(running.transport(), undefined);
    peer.send({ node, typeUrl: ADDRESS_TYPE_URL });
    const failure = await peer.next().catch((error: unknown) => error);
    expect(failure).to.be.instanceOf(ConnectError);
    expect((failure as ConnectError).rawMessage).to.equal('unauthenticated');
    expect(await running.metrics()).to.contain('clearmesh_unauthenticated_calls_total{rpc="DeltaAggregatedResources"} 1\n');
  });

  it('a node of another namespace', async () => {
    await using running = await RunningControlPlane.start();
    const peer = await running.discover();
    peer.send({ node: proxyNode({ podName: 'z', podNamespace: 'bank', nodeName: 'node-a' }), typeUrl: ADDRESS_TYPE_URL });
    expect(await codeOf(peer)).to.equal(Code.Unauthenticated);
  });

  it('a first request that describes no node', async () => {
    await using running = await RunningControlPlane.start();
    const peer = await running.discover();
    peer.send({ typeUrl: ADDRESS_TYPE_URL });
    expect(await codeOf(peer)).to.equal(Code.Unauthenticated);
  });

  it('to be taken for a server by who trusts another root', async () => {
    await using running = await RunningControlPlane.start();
    await using stranger = await RunningControlPlane.start();
    const peer = new DiscoveryPeer(running.transport(stranger.rootPem), `Bearer ${await running.issuer.token()}`);
    peer.send({ node, typeUrl: ADDRESS_TYPE_URL });
    expect(await codeOf(peer)).to.not.equal(undefined);
  });
});

async function logged(running: RunningControlPlane, pattern: RegExp): Promise<void> {
  await eventually(`a line of ${pattern}`, () => running.log.some((line) => pattern.test(line)), { limitMs: 5_000 });
}
