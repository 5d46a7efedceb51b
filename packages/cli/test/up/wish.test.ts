import { expect } from 'chai';
import { describe, it } from 'mocha';
import { collect } from '@clearmesh/control-plane/manifest/collections';
import type { PodManifest } from '@clearmesh/control-plane/manifest/pod';
import { readWish } from '../../src/up/wish.ts';

const container = { command: ['node', 'x.ts'] };
const pod = (metadata: Partial<PodManifest['metadata']>, spec: object = {}, status?: PodManifest['status']): PodManifest => ({
  metadata: { name: 'p', namespace: 'n', ...metadata },
  spec: { containers: [container], ...spec } as PodManifest['spec'] & object,
  ...(status === undefined ? {} : { status }),
});
const read = (pods: readonly PodManifest[], namespaceLabels: Record<string, string> = {}) =>
  readWish(
    collect([
      { kind: 'Namespace', value: { metadata: { name: 'n', labels: namespaceLabels } } },
      ...pods.map((value) => ({ kind: 'Pod' as const, value })),
    ]),
    { nodes: ['node-a', 'node-b'], current: new Map() },
  );
const ambient = { 'istio.io/dataplane-mode': 'ambient' };

describe('readWish', () => {
  it('takes account, labels, node and container from the manifest, with the defaults of Kubernetes', () => {
    const reading = read([pod({ labels: { app: 'x' } })]);
    expect(reading.ok && reading.wish.pods[0]).to.deep.include({
      key: 'n/p',
      nodeName: 'node-a',
      serviceAccount: 'default',
      labels: { app: 'x' },
      enrolled: false,
      terminating: false,
      graceSeconds: 30,
    });
  });

  for (const [name, manifest, namespaceLabels, enrolled] of [
    ['by the label of its namespace', pod({}), ambient, true],
    ['by its own label', pod({ labels: ambient }), {}, true],
    ['not at all when it opts out', pod({ labels: { 'istio.io/dataplane-mode': 'none' } }), ambient, false],
    ['not at all without a label', pod({}), {}, false],
  ] as const) {
    it(`enrols a pod ${name}`, () => {
      const reading = read([manifest], namespaceLabels);
      expect(reading.ok && reading.wish.pods[0]!.enrolled).to.equal(enrolled);
    });
  }

  it('wants a pod with a deletion time gone, and leaves finished ones out', () => {
    const reading = read([pod({ deletionTimestamp: '2026-01-01T00:00:00Z' }), pod({ name: 'done' }, {}, { phase: 'Succeeded' })]);
    expect(reading.ok && reading.wish.pods.map(({ key, terminating }) => [key, terminating])).to.deep.equal([['n/p', true]]);
  });

  it('reads the knobs of capture', () => {
    const reading = read([pod({ annotations: { 'ambient.istio.io/bypass-inbound-capture': 'true' } })]);
    expect(reading.ok && reading.wish.pods[0]!.redirection.inboundCapture).to.equal(false);
  });

  for (const [name, manifest, path] of [
    ['an unknown node', pod({}, { nodeName: 'node-z' }), ['spec', 'nodeName']],
    ['a pod without a command', pod({}, { containers: [{}] }), ['spec', 'containers', 0, 'command']],
    [
      'DNS capture, which is not offered',
      pod({ annotations: { 'ambient.istio.io/dns-capture': 'true' } }),
      ['metadata', 'annotations', 'ambient.istio.io/dns-capture'],
    ],
    [
      'an annotation of capture without a usable value',
      pod({ annotations: { 'ambient.istio.io/bypass-inbound-capture': 'yes' } }),
      ['metadata', 'annotations', 'ambient.istio.io/bypass-inbound-capture'],
    ],
    ['a pod of the host network', pod({}, { hostNetwork: true }), ['spec', 'hostNetwork']],
  ] as const) {
    it(`refuses ${name} by its field`, () => {
      const reading = read([manifest]);
      expect(!reading.ok && reading.findings.map(({ key, finding }) => [key, finding.path])).to.deep.equal([['n/p', path]]);
    });
  }
});
