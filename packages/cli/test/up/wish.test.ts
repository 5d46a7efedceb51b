import { expect } from 'chai';
import { describe, it } from 'mocha';
import { withGatewayPods } from '@clearmesh/control-plane/deploy/gateway-pods';
import { collect } from '@clearmesh/control-plane/manifest/collections';
import type { PodManifest } from '@clearmesh/control-plane/manifest/pod';
import { noPlaces } from '../../src/up/waypoint-container.ts';
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
    { nodes: ['node-a', 'node-b'], current: new Map(), waypoints: noPlaces },
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
      'DNS capture, which is not simulated',
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

  it('runs the waypoint program in the pods of a Gateway, with a token of its own and no capture', () => {
    const gateway = { metadata: { name: 'gate', namespace: 'n' }, spec: { gatewayClassName: 'clearmesh-waypoint' } };
    const collections = collect([
      { kind: 'Namespace', value: { metadata: { name: 'n', labels: ambient } } },
      { kind: 'Gateway', value: gateway },
    ]);
    const waypoints = { command: ['node', 'waypoint.ts'], controlPlaneUrl: 'https://c:1', rootCertificate: '/r', tokenDir: '/t' };
    const reading = readWish(withGatewayPods(collections), { nodes: ['node-a'], current: new Map(), waypoints });
    const [wanted] = reading.ok ? reading.wish.pods : [];
    expect(wanted).to.deep.include({
      key: 'n/gate-0',
      serviceAccount: 'gate',
      enrolled: false,
      tokenFile: '/t/token-n_gate-0',
    });
    expect(wanted!.container).to.deep.include({ command: ['node', 'waypoint.ts'], port: 15_008 });
    expect(wanted!.container.env).to.include({
      XDS_ADDRESS: 'https://c:1',
      CA_ROOT_CA: '/r',
      AUTH_TOKEN: '/t/token-n_gate-0',
      GATEWAY_NAME: 'gate',
    });
    expect(wanted!.container.envFromFields).to.include({
      INSTANCE_IP: 'status.podIP',
      SERVICE_ACCOUNT: 'spec.serviceAccountName',
    });
  });

  it('runs what is written where a pod of a Gateway has a command of its own', () => {
    const labels = {
      'gateway.clearmesh.io/managed': 'clearmesh-mesh-controller',
      'gateway.networking.k8s.io/gateway-name': 'gate',
    };
    const reading = read([pod({ labels })]);
    expect(reading.ok && reading.wish.pods[0]!.container.command).to.deep.equal(['node', 'x.ts']);
  });
});
