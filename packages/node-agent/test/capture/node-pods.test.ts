import { silentLogger } from '@clearmesh/shared/observe/log';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { NodePods } from '../../src/capture/node-pods.ts';
import type { Finding } from '../../src/locate/namespace-finder.ts';

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
const namespaces = [
  { metadata: { name: 'bank', labels: { 'istio.io/dataplane-mode': 'ambient' } } },
  { metadata: { name: 'plain', labels: {} } },
  { metadata: { name: 'closed', labels: { 'istio.io/dataplane-mode': 'ambient' } } },
];
const podIn = (namespace: string, name: string): object => ({
  metadata: { namespace, name, uid: `uid-${name}` },
  spec: {},
  status: { phase: 'Running', podIPs: [{ ip: '10.0.0.1' }] },
});

/** Pods whose network namespaces are sought and not found: how far a capture comes is its own tests’ matter. */
describe('the pods of a node', () => {
  const clock = new FakeClock();
  let news: string[];
  let find: () => Promise<Finding>;
  let pods: NodePods;

  beforeEach(() => {
    news = [];
    find = () => Promise.resolve({ kind: 'missing', reason: 'no process of it' });
    const unreached = (): never => expect.fail('without a namespace nothing is done');
    pods = new NodePods(
      {
        systemNamespace: 'clearmesh-system',
        excludedNamespaces: ['closed'],
        ipv6: true,
        sources: { v4: '169.254.7.127', v6: 'fd16::1' },
        dnsCapture: false,
        verifyMs: 30_000,
        settleMs: 1_000,
      },
      {
        api: { mergePatch: async () => {} },
        finder: { find: () => find() },
        redirector: { install: unreached, remove: unreached, inspect: unreached, hasBegun: unreached },
        handover: { addPod: unreached, removePod: async () => {} },
        probes: { add: unreached, remove: async () => {} },
        onEvent: (event) => news.push(event),
        onSynced: () => news.push('synced'),
        onTried: () => news.push('tried'),
        clock,
        random: new FakeRandom(),
        logger: silentLogger,
      },
    );
  });
  afterEach(async () => {
    await pods[Symbol.asyncDispose]();
    expect(clock.pendingTimers).to.equal(0);
  });

  it('have all been tried at once where none belongs to the mesh', () => {
    pods.view.recvPods([podIn('plain', 'a'), podIn('closed', 'b')]);
    expect(news).to.deep.equal([]);
    pods.view.recvNamespaces(namespaces);
    expect(news).to.deep.equal(['synced', 'tried']);
    expect(pods.captures.counts.enrolled).to.equal(0);
  });

  it('have all been tried when the last of them was, and once (N2)', async () => {
    const { promise: looked, resolve: found } = Promise.withResolvers<Finding>();
    find = () => looked;
    pods.view.recvNamespaces(namespaces);
    pods.view.recvPods([podIn('bank', 'a'), podIn('plain', 'b')]);
    await turn();
    expect(news).to.deep.equal(['synced']);
    found({ kind: 'missing', reason: 'no process of it' });
    await turn();
    expect(news).to.deep.equal(['synced', 'failed', 'tried']);
    pods.view.recvPod(podIn('bank', 'c'));
    await turn();
    expect(news).to.deep.equal(['synced', 'failed', 'tried', 'failed']);
    expect(pods.captures.undelivered).to.deep.equal(['uid-a', 'uid-c']);
  });

  it('are let go when they go', async () => {
    pods.view.recvNamespaces(namespaces);
    pods.view.recvPods([podIn('bank', 'a')]);
    await turn();
    expect(pods.captures.counts.enrolled).to.equal(1);
    pods.view.recvPodGone(podIn('bank', 'a'));
    await turn();
    expect(pods.captures.counts.enrolled).to.equal(0);
  });

  it('are looked at again and again, and no longer than the signal allows', async () => {
    const stop = new AbortController();
    const verifying = pods.verify(stop.signal);
    expect(clock.nextTimerMs).to.equal(30_000);
    clock.advance(30_000);
    await turn();
    expect(clock.nextTimerMs).to.equal(30_000);
    stop.abort();
    await verifying;
  });
});
