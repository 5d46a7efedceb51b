import { expect } from 'chai';
import { describe, it } from 'mocha';
import { collect } from '../../src/manifest/collections.ts';
import type { PodManifest } from '../../src/manifest/pod.ts';
import { withDeparting } from '../../src/watch/departing-pods.ts';
import type { PodFacts } from '../../src/watch/status-file.ts';

const now = '2026-12-01T10:00:00.000Z';
const later = '2026-12-01T10:00:05.000Z';
const pod = (name: string): PodManifest => ({ metadata: { name, namespace: 'bank' }, spec: { serviceAccountName: name } });
const running: PodFacts = { podIPs: ['10.244.1.2'], ready: true };
const written = (...names: readonly string[]) => collect(names.map((name) => ({ kind: 'Pod' as const, value: pod(name) })));

describe('withDeparting', () => {
  it('keeps a pod whose manifest is gone, terminating, while it is told of', () => {
    const { pods } = withDeparting(written('c'), [pod('b'), pod('c')], new Map([['bank/b', running]]), now);
    expect(pods.map(({ metadata }) => [metadata.name, metadata.deletionTimestamp])).to.deep.equal([
      ['b', now],
      ['c', undefined],
    ]);
    expect(pods[0]?.status?.podIPs).to.deep.equal([{ ip: '10.244.1.2' }]);
    expect(pods[0]?.spec?.serviceAccountName).to.equal('b');
  });

  it('keeps the time at which it began to depart', () => {
    const status = new Map([['bank/b', running]]);
    const first = withDeparting(written(), [pod('b')], status, now);
    expect(withDeparting(written(), first.pods, status, later).pods[0]?.metadata.deletionTimestamp).to.equal(now);
  });

  it('drops a pod that nobody tells of any more', () => {
    const before = written('c');
    expect(withDeparting(before, [pod('b')], new Map(), now)).to.equal(before);
  });

  it('leaves a pod alone whose manifest came back', () => {
    const gone = withDeparting(written(), [pod('b')], new Map([['bank/b', running]]), now).pods;
    const { pods } = withDeparting(written('b'), gone, new Map([['bank/b', running]]), later);
    expect(pods.map(({ metadata }) => metadata.deletionTimestamp)).to.deep.equal([undefined]);
  });
});
