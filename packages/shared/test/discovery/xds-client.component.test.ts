import { rm, writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { TestAuthority } from '../../src/testing/test-authority.ts';
import { ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL } from '../../src/wire/type-urls.ts';
import { FakeControlPlane, serve } from './fake-control-plane.ts';
import { arrival, pod, policy, resources, untilTimer, XdsBed } from './xds-bed.ts';

describe('XdsClient (section 3.1)', () => {
  let bed: XdsBed;

  beforeEach(async () => {
    bed = await XdsBed.open();
  });

  afterEach(() => bed[Symbol.asyncDispose]());

  it('introduces itself, subscribes to both types, applies and acknowledges', async () => {
    const control = await bed.plane(serve(() => resources([pod('a'), pod('b')])));
    const { store, synced, received } = bed.start(control.url, { extra: { headers: { 'x-extra': 'one' } } });
    await synced;
    await control.until(() => control.requests.length === 4);
    const [first, second, ...acks] = control.requests.map(({ request }) => request);
    expect([first?.typeUrl, second?.typeUrl]).to.deep.equal([ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL]);
    expect(first?.node?.id).to.equal('ztunnel~10.98.0.10~ztunnel-x.mesh-system~mesh-system.svc.cluster.local');
    expect(first?.node?.metadata).to.deep.include({
      NAME: 'ztunnel-x',
      NAMESPACE: 'mesh-system',
      INSTANCE_IPS: '10.98.0.10',
      NODE_NAME: 'node-a',
    });
    expect([first?.resourceNamesSubscribe, first?.resourceNamesUnsubscribe]).to.deep.equal([[], []]);
    expect(acks.map(({ node: own, errorDetail, responseNonce }) => [own, errorDetail, responseNonce])).to.deep.equal([
      [undefined, undefined, 'n1'],
      [undefined, undefined, 'n2'],
    ]);
    const headers = control.headers[0];
    expect([headers?.get('authorization'), headers?.get('clusterid'), headers?.get('x-extra')]).to.deep.equal([
      'Bearer token-one',
      'cl-1',
      'one',
    ]);
    expect([...store.current.workloads].map(({ name }) => name)).to.deep.equal(['a', 'b']);
    expect([...store.current.policies]).to.have.length(1);
    expect(received).to.deep.equal([
      [ADDRESS_TYPE_URL, pod('a').value.length + pod('b').value.length],
      [AUTHORIZATION_TYPE_URL, policy.value.length],
    ]);
  });

  it('answers a bad resource with a NACK that names it, and keeps the good ones', async () => {
    const bad = { name: 'Kubernetes//Pod/bank/bad', version: 'x', value: Uint8Array.from([0xff]) };
    const control = await bed.plane(serve(() => resources([pod('a'), pod('b'), bad])));
    const { store } = bed.start(control.url);
    await arrival(store, 'a');
    await control.until(() => control.requests.some(({ request }) => request.errorDetail !== undefined));
    const nack = control.requests.find(({ request }) => request.errorDetail !== undefined)?.request;
    expect([nack?.typeUrl, nack?.responseNonce, nack?.errorDetail?.message]).to.satisfy(
      ([typeUrl, nonce, message]: string[]) =>
        typeUrl === ADDRESS_TYPE_URL && nonce === 'n1' && message?.startsWith('Kubernetes//Pod/bank/bad: '),
    );
    expect([...store.current.workloads]).to.have.length(2);
  });

  it('tells a new stream the versions it knows, keeps its state, and takes the difference', async () => {
    const [first, later] = [serve(() => resources([pod('a'), pod('b')]), 2), serve(() => resources([pod('a'), pod('c')]))];
    const control = await bed.plane((stream) => (stream.number === 1 ? first(stream) : later(stream)));
    const { store, ends } = bed.start(control.url);
    await arrival(store, 'c');
    expect(ends[0]).to.equal('Complete');
    const again = control.requests.find(({ stream, request }) => stream === 2 && request.typeUrl === ADDRESS_TYPE_URL)?.request;
    expect(again?.node?.id).to.match(/^ztunnel~/);
    expect(again?.initialResourceVersions).to.deep.equal({ 'Kubernetes//Pod/bank/a': 'v-a', 'Kubernetes//Pod/bank/b': 'v-b' });
    expect([...store.current.workloads].map(({ name }) => name)).to.deep.equal(['a', 'c']);
  });

  it('serves on with what it knows while the control plane is gone, and comes back with fresh credentials', async () => {
    const first = await bed.plane(serve(() => resources([pod('a'), pod('b')])));
    const { port } = first;
    const { store, synced, ends } = bed.start(first.url);
    await synced;
    await first[Symbol.asyncDispose]();
    await bed.rotate('token-two');
    expect([...store.current.workloads]).to.have.length(2);
    const second = await bed.plane(
      serve(() => resources([pod('a'), pod('b'), pod('c')])),
      port,
    );
    await arrival(store, 'c');
    expect(second.headers[0]?.get('authorization')).to.equal('Bearer token-two');
    expect(ends[0]).to.equal('Reconnect');
  });

  it('does not trust a control plane of another authority, and shows it no token', async () => {
    await using stranger = await FakeControlPlane.listen(
      await TestAuthority.create({ name: 'stranger' }),
      serve(() => resources([pod('a')])),
    );
    const clock = new FakeClock();
    const { store, ends } = bed.start(stranger.url, { clock });
    await untilTimer(clock, 10);
    expect([ends, stranger.headers, [...store.current.workloads]]).to.deep.equal([['ConnectionError'], [], []]);
  });

  it('takes a control plane by its further name', async () => {
    const control = await bed.plane(serve(() => resources([pod('a'), pod('b')])));
    const byName = control.url.replace('127.0.0.1', 'localhost');
    const clock = new FakeClock();
    bed.start(byName, { clock });
    await untilTimer(clock, 10);
    await bed.start(byName, { extra: { altHostname: 'control-plane.test' } }).synced;
  });

  it('survives a token file that is missing, and reads it when it comes', async () => {
    await rm(bed.remote.authToken);
    const control = await bed.plane(serve(() => resources([pod('a'), pod('b')])));
    const clock = new FakeClock();
    const { ends, synced } = bed.start(control.url, { clock });
    await untilTimer(clock, 10);
    await writeFile(bed.remote.authToken, 'late');
    clock.advance(10);
    await synced;
    expect([ends, control.headers[0]?.get('authorization')]).to.deep.equal([['ConnectionError'], 'Bearer late']);
  });

  it('ends at once when it is disposed of, in a stream as well as in a pause', async () => {
    const control = await bed.plane(serve(() => resources([pod('a'), pod('b')])));
    const { client, synced, ends } = bed.start(control.url);
    await synced;
    await client[Symbol.asyncDispose]();
    await client[Symbol.asyncDispose]();
    expect(ends).to.deep.equal([]);
    const clock = new FakeClock();
    const pausing = bed.start('https://127.0.0.1:1', { clock });
    await untilTimer(clock, 10);
    await pausing.client[Symbol.asyncDispose]();
    expect(clock.pendingTimers).to.equal(0);
    client.start();
    expect(control.headers).to.have.length(1);
  });
});
