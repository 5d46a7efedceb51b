import { expect } from 'chai';
import { describe, it } from 'mocha';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { ApiClient } from '../../src/kubernetes/api-client.ts';
import { Informer } from '../../src/kubernetes/informer.ts';
import { ApiPeer, failure } from '../fixtures/api-peer.ts';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { InformerOptions, WatchState } from '../../src/kubernetes/informer.ts';
import type { PeerObject } from '../fixtures/api-peer.ts';

const pods = '/api/v1/pods';
const podResource = { apiVersion: 'v1', kind: 'Pod', plural: 'pods' };

function pod(name: string, note = ''): PeerObject {
  return { metadata: { name, namespace: 'bank' }, note };
}

/** An informer, and what it was told so far. */
class Watching implements AsyncDisposable {
  readonly #informer: Informer<string>;
  readonly #api: ApiClient;
  readonly states: WatchState[] = [];
  /** Names with notes, as they are now. */
  known = new Map<string, string>();
  lists = 0;

  constructor(peer: ApiPeer, options: Partial<InformerOptions> = {}, clock: Clock = systemClock) {
    this.#api = new ApiClient({}, { kubeConfig: peer.kubeConfig, clock });
    this.#informer = new Informer<string>(
      { resources: [podResource], ...options },
      {
        api: this.#api,
        clock,
        random: new FakeRandom([0]),
        read: (object) => `${object.metadata.name}=${(object as { readonly note?: string }).note}`,
        listener: {
          recvList: (items) => {
            this.lists += 1;
            this.known = new Map(items.map(split));
          },
          recvChange: (item) => void this.known.set(...split(item)),
          recvRemoval: (item) => void this.known.delete(split(item)[0]),
          recvState: (state) => void this.states.push(state),
        },
      },
    );
    this.#informer.start();
  }

  get kinds(): readonly string[] {
    return this.states.map(({ kind }) => kind);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#informer[Symbol.asyncDispose]();
    this.#api[Symbol.dispose]();
  }
}

function split(item: string): [string, string] {
  const [name = '', note = ''] = item.split('=');
  return [name, note];
}

async function peerWith(...objects: readonly PeerObject[]): Promise<ApiPeer> {
  const peer = await ApiPeer.start();
  peer.serve(pods, objects);
  return peer;
}

describe('Informer', () => {
  it('lists in pages, then follows what is made, changed and deleted', async () => {
    await using peer = await peerWith(pod('a'), pod('b'), pod('c'));
    await using watching = new Watching(peer, { pageSize: 2 });
    await peer.until(() => peer.openWatches === 1, 'a watch');
    expect([...watching.known.keys()]).to.deep.equal(['a', 'b', 'c']);
    expect(peer.calls.map(({ query }) => query.get('continue'))).to.deep.equal([null, '2', null]);
    peer.put(pods, pod('d'));
    peer.put(pods, pod('a', 'new'));
    peer.remove(pods, 'bank/b');
    await peer.until(() => !watching.known.has('b'), 'the removal');
    expect([...watching.known]).to.deep.equal([
      ['a', 'new'],
      ['c', ''],
      ['d', ''],
    ]);
    expect(watching.lists).to.equal(1);
  });

  it('goes on from the last bookmark when a watch ends', async () => {
    await using peer = await peerWith(pod('a'));
    await using watching = new Watching(peer);
    await peer.until(() => peer.openWatches === 1, 'a watch');
    peer.bookmark(pods);
    peer.put(pods, pod('b'));
    peer.bookmark(pods);
    await peer.until(() => watching.known.has('b'), 'the pod');
    const version = peer.calls.length;
    peer.endWatches();
    await peer.until(() => peer.calls.length > version && peer.openWatches === 1, 'another watch');
    expect(watching.lists).to.equal(1);
    expect(peer.calls.at(-1)?.query.get('resourceVersion')).to.equal('104');
  });

  it('asks again for an event that was cut in the middle of its line', async () => {
    await using peer = await peerWith(pod('a'));
    await using watching = new Watching(peer);
    await peer.until(() => peer.openWatches === 1, 'a watch');
    peer.sendRaw(pods, '{"type":"MODIFIED","object":{"metadata":{"name":"a","resourceV');
    peer.putUnseen(pods, pod('a', 'whole'));
    peer.endWatches('cut');
    await peer.until(() => watching.known.get('a') === 'whole', 'the whole event');
    expect(watching.lists).to.equal(1);
  });

  for (const [title, refuse] of [
    ['answers 410', (peer: ApiPeer) => peer.next('watch=true', failure(410, 'Expired'))],
    [
      'sends an error of 410',
      (peer: ApiPeer) =>
        peer.next('watch=true', (response) => void response.end('{"type":"ERROR","object":{"kind":"Status","code":410}}\n')),
    ],
    ['sends what is no event', (peer: ApiPeer) => peer.next('watch=true', (response) => void response.end('}{\n'))],
    [
      'sends an object without a name',
      (peer: ApiPeer) =>
        peer.next(
          'watch=true',
          (response) => void response.end('{"type":"ADDED","object":{"metadata":{"resourceVersion":"9"}}}\n'),
        ),
    ],
  ] as const) {
    it(`lists again when a watch ${title}`, async () => {
      await using peer = await peerWith(pod('a'));
      refuse(peer);
      await using watching = new Watching(peer);
      await peer.until(() => watching.lists === 2 && peer.openWatches === 1, 'a second list');
      expect([...watching.known.keys()]).to.deep.equal(['a']);
    });
  }

  it('keeps what it knows through 429, 500 and an outage, and says so', async () => {
    await using peer = await peerWith(pod('a'));
    await using watching = new Watching(peer);
    await peer.until(() => peer.openWatches === 1, 'a watch');
    peer.next('watch=true', failure(429, 'TooManyRequests'));
    peer.next('watch=true', failure(500, 'InternalError'));
    peer.next('watch=true', (response) => void response.destroy());
    peer.endWatches('cut');
    await peer.until(() => watching.kinds.at(-1) === 'synced' && watching.states.length > 3, 'the recovery');
    expect(watching.kinds).to.deep.equal(['synced', 'failing', 'failing', 'failing', 'synced']);
    expect([...watching.known.keys()]).to.deep.equal(['a']);
    expect(watching.lists).to.equal(1);
  });

  it('gives a server the time that it asks for', async () => {
    const clock = new FakeClock();
    await using peer = await peerWith(pod('a'));
    peer.next(`GET ${pods}`, failure(429, 'TooManyRequests', { 'retry-after': '7' }));
    await using watching = new Watching(peer, {}, clock);
    await peer.until(() => watching.kinds.includes('failing'), 'the refusal');
    await peer.until(() => clock.lastTimerMs === 7000, 'the wait');
    clock.advance(6999);
    expect(watching.lists).to.equal(0);
    clock.advance(1);
    await peer.until(() => watching.lists === 1, 'the list');
  });

  it('gives up a watch that falls silent, and goes on from the same version', async () => {
    const clock = new FakeClock();
    await using peer = await peerWith(pod('a'));
    await using watching = new Watching(peer, {}, clock);
    await peer.until(() => peer.openWatches === 1 && clock.lastTimerMs === 150_000, 'a watch');
    clock.advance(150_000);
    await peer.until(() => peer.calls.length === 3 && peer.openWatches === 1, 'another watch');
    expect(peer.calls.map(({ query }) => query.get('resourceVersion'))).to.deep.equal([null, '101', '101']);
    expect(watching.lists).to.equal(1);
  });

  it('gives up a call that is never answered', async () => {
    const clock = new FakeClock();
    await using peer = await peerWith(pod('a'));
    peer.next(`GET ${pods}`, () => {});
    await using watching = new Watching(peer, {}, clock);
    await peer.until(() => peer.calls.length === 1, 'the call');
    clock.advance(30_000);
    await peer.until(() => watching.states.length === 1, 'the state');
    expect(watching.states).to.deep.equal([{ kind: 'failing', sinceMs: clock.now(), message: 'no answer within 30000 ms' }]);
    await peer.until(() => clock.nextTimerMs !== undefined, 'the wait');
    clock.advance(1000);
    await peer.until(() => watching.lists === 1, 'the list');
  });

  it('does not ask in a hot loop when every watch ends at once', async () => {
    const clock = new FakeClock();
    await using peer = await peerWith(pod('a'));
    peer.always('watch=true', (_call, response) => void response.end());
    await using _watching = new Watching(peer, {}, clock);
    for (const waitMs of [250, 500, 1000, 2000].map((ms) => ms * 0.7)) {
      const calls = peer.calls.length;
      await peer.until(() => clock.lastTimerMs === waitMs, `a wait of ${waitMs} ms`);
      expect(peer.calls.length).to.be.at.most(calls + 2);
      clock.advance(waitMs);
    }
  });

  it('names a resource that is not there, and reads it when it appears', async () => {
    await using peer = await ApiPeer.start();
    await using watching = new Watching(peer, { missingRetryMs: 5 });
    await peer.until(() => peer.calls.length > 3, 'some calls');
    expect(watching.kinds).to.deep.equal(['absent']);
    peer.serve(pods, [pod('a')]);
    await peer.until(() => watching.known.has('a'), 'the pod');
    expect(watching.kinds).to.deep.equal(['absent', 'synced']);
  });

  it('names a missing permission, and reads when it is given', async () => {
    await using peer = await peerWith(pod('a'));
    const permit = peer.always(pods, (_call, response) => failure(403, 'Forbidden')(response, {} as never));
    await using watching = new Watching(peer, { missingRetryMs: 5 });
    await peer.until(() => peer.calls.length > 3, 'some calls');
    expect(watching.states).to.have.length(1);
    expect(watching.states[0]).to.deep.include({ kind: 'forbidden', message: '403 the peer says Forbidden' });
    permit();
    await peer.until(() => watching.known.has('a'), 'the pod');
  });

  it('takes the version that the server has', async () => {
    await using peer = await ApiPeer.start();
    const old = { apiVersion: 'g/v1beta1', kind: 'Pod', plural: 'pods' };
    peer.serve('/apis/g/v1beta1/pods', [pod('a')]);
    await using watching = new Watching(peer, { resources: [{ ...old, apiVersion: 'g/v1' }, old] });
    await peer.until(() => watching.known.has('a') && peer.openWatches === 1, 'the pod');
    expect(peer.calls.map(({ path }) => path)).to.deep.equal(['/apis/g/v1/pods', '/apis/g/v1beta1/pods', '/apis/g/v1beta1/pods']);
  });

  it('does not believe at once that a resource is gone', async () => {
    const clock = new FakeClock();
    await using peer = await peerWith(pod('a'));
    await using watching = new Watching(peer, { missingRetryMs: 10_000 }, clock);
    await peer.until(() => peer.openWatches === 1, 'a watch');
    peer.withdraw(pods);
    peer.endWatches();
    await peer.until(() => clock.lastTimerMs !== undefined && clock.lastTimerMs < 1000, 'the wait');
    clock.advance(1000);
    for (let waitedMs = 0; waitedMs < 30_000; waitedMs += 10_000) {
      await peer.until(() => clock.lastTimerMs === 10_000, 'the next wait');
      expect([...watching.known.keys()], `after ${waitedMs} ms`).to.deep.equal(['a']);
      clock.advance(10_000);
    }
    await peer.until(() => watching.known.size === 0, 'the end of the resource');
  });

  it('leaves no timer, watch or connection behind', async () => {
    const clock = new FakeClock();
    await using peer = await peerWith(pod('a'));
    for (let round = 0; round < 20; round++) {
      await using watching = new Watching(peer, {}, clock);
      await peer.until(() => watching.known.has('a') && peer.openWatches === 1, 'a watch');
    }
    await peer.until(() => peer.openWatches === 0, 'the end of all watches');
    expect(clock.pendingTimers).to.equal(0);
  });
});
