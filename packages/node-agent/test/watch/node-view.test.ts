import fc from 'fast-check';
import { expect } from 'chai';
import { beforeEach, describe, it } from 'mocha';
import { NodeView } from '../../src/watch/node-view.ts';
import { cgroupKeys, readNamespace, readPod } from '../../src/watch/pod-object.ts';

const pod = (name: string, namespace = 'bank', uid = `u-${name}`): unknown => ({
  metadata: { name, namespace, uid },
  status: { phase: 'Running', podIPs: [{ ip: '10.0.0.1' }] },
});
const namespace = (name: string, mode?: string): unknown => ({
  metadata: { name, ...(mode === undefined ? {} : { labels: { mode } }) },
});

describe('NodeView', () => {
  let told: string[];
  let view: NodeView;
  beforeEach(() => {
    told = [];
    view = new NodeView({
      onPod: ({ pod: { name }, namespaceLabels }) => told.push(`${name} ${namespaceLabels['mode'] ?? '-'}`),
      onGone: ({ name }) => told.push(`${name} gone`),
      onSynced: () => told.push('synced'),
    });
  });

  it('says nothing of a pod before both kinds were listed, then of all, then that it is complete', () => {
    view.recvPods([pod('a'), pod('b')]);
    view.recvPod(pod('c'));
    expect([told, view.synced]).to.deep.equal([[], false]);
    view.recvNamespaces([namespace('bank', 'ambient')]);
    expect(told).to.deep.equal(['a ambient', 'b ambient', 'c ambient', 'synced']);
  });

  it('says nothing of a pod whose namespace it has not heard of, until it has', () => {
    view.recvNamespaces([]);
    view.recvPods([pod('a')]);
    expect(told).to.deep.equal(['synced']);
    view.recvNamespace(namespace('bank'));
    expect(told).to.deep.equal(['synced', 'a -']);
  });

  it('says of every pod of a namespace that its labels have changed, and not when they have not', () => {
    view.recvNamespaces([namespace('bank'), namespace('shop')]);
    view.recvPods([pod('a'), pod('b', 'shop')]);
    told.length = 0;
    view.recvNamespace(namespace('bank', 'ambient'));
    view.recvNamespace(namespace('bank', 'ambient'));
    expect(told).to.deep.equal(['a ambient']);
  });

  it('misses no pod that went while nobody watched', () => {
    view.recvNamespaces([namespace('bank')]);
    view.recvPods([pod('a'), pod('b')]);
    told.length = 0;
    view.recvPods([pod('b'), pod('c')]);
    expect(told).to.deep.equal(['a gone', 'b -', 'c -']);
    view.recvPodGone(pod('b'));
    view.recvPodGone(pod('never'));
    expect(told.at(-1)).to.equal('b gone');
    expect(view.pod('bank', 'b')).to.equal(undefined);
    expect(view.pod('bank', 'c')?.uid).to.equal('u-c');
  });

  it('is live while both watches stand', () => {
    view.recvLive('pods', true);
    expect(view.live).to.equal(false);
    view.recvLive('namespaces', true);
    expect(view.live).to.equal(true);
    view.recvLive('pods', false);
    expect(view.live).to.equal(false);
  });
});

describe('readPod', () => {
  it('reads what the agent needs', () => {
    const annotations = { 'kubernetes.io/config.hash': 'abc', bad: 1 };
    const read = readPod({
      metadata: { name: 'a', namespace: 'bank', uid: 'u', labels: { app: 'x' }, annotations, deletionTimestamp: 'now' },
      spec: { hostNetwork: true, serviceAccountName: '' },
      status: { phase: 'Pending', podIP: '10.0.0.1' },
    });
    expect(read).to.deep.equal({
      name: 'a',
      namespace: 'bank',
      uid: 'u',
      labels: { app: 'x' },
      annotations: { 'kubernetes.io/config.hash': 'abc' },
      hostNetwork: true,
      serviceAccount: 'default',
      phase: 'Pending',
      podIps: ['10.0.0.1'],
      terminating: true,
    });
    expect(read === undefined ? [] : cgroupKeys(read)).to.deep.equal(['u', 'abc']);
  });

  it('never throws, whatever the API sends', () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), (metadata, status) => {
        readPod(metadata);
        readNamespace(metadata);
        const read = readPod({ metadata: { name: 'a', namespace: 'b', uid: 'c', labels: metadata }, spec: status, status });
        expect(read?.podIps.every((ip) => typeof ip === 'string')).to.equal(true);
        expect(Object.values(read?.labels ?? {}).every((label) => typeof label === 'string')).to.equal(true);
      }),
    );
  });
});
