import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { decideEnrolment } from '../../src/enrol/enrolment.ts';
import type { EnrolmentSettings, PodFacts } from '../../src/enrol/enrolment.ts';

const MODE = 'istio.io/dataplane-mode';
const podBase: PodFacts = {
  name: 'payments-0',
  namespace: 'payments',
  labels: {},
  annotations: {},
  hostNetwork: false,
  phase: 'Running',
  podIps: ['10.244.1.2'],
};
const ambient = { namespaceLabels: { [MODE]: 'ambient' } };
const plain = { namespaceLabels: {} };
const own = (mode: string): Partial<PodFacts> => ({ labels: { [MODE]: mode } });
const sidecar = { annotations: { 'sidecar.istio.io/status': '{}' } };

type Case = { says: string; pod?: Partial<PodFacts>; settings: EnrolmentSettings; gives: string };

const cases: readonly Case[] = [
  { says: 'captures a pod whose namespace is ambient', settings: ambient, gives: 'capture namespace-label' },
  {
    says: 'captures a pod labelled ambient in a plain namespace',
    pod: own('ambient'),
    settings: plain,
    gives: 'capture pod-label',
  },
  { says: 'skips a pod of a plain namespace', settings: plain, gives: 'skip not-selected' },
  { says: 'lets none on the pod beat its namespace', pod: own('none'), settings: ambient, gives: 'skip opted-out' },
  {
    says: 'reads another mode on the pod as no opt-out',
    pod: own('sidecar'),
    settings: ambient,
    gives: 'capture namespace-label',
  },
  { says: 'reads another mode on the pod as no opt-in', pod: own('sidecar'), settings: plain, gives: 'skip not-selected' },
  {
    says: 'reads none on the namespace as not selected',
    settings: { namespaceLabels: { [MODE]: 'none' } },
    gives: 'skip not-selected',
  },
  {
    says: 'never captures the host network',
    pod: { ...own('ambient'), hostNetwork: true },
    settings: ambient,
    gives: 'skip host-network',
  },
  {
    says: 'never captures a pod with a sidecar',
    pod: { ...own('ambient'), ...sidecar },
    settings: ambient,
    gives: 'skip sidecar',
  },
  {
    says: 'never captures kube-system',
    pod: { ...own('ambient'), namespace: 'kube-system' },
    settings: ambient,
    gives: 'skip excluded-namespace',
  },
  {
    says: 'never captures a namespace excluded by settings',
    pod: own('ambient'),
    settings: { ...ambient, excludedNamespaces: ['payments'] },
    gives: 'skip excluded-namespace',
  },
  {
    says: 'captures kube-system when settings no longer exclude it',
    pod: { namespace: 'kube-system' },
    settings: { ...ambient, excludedNamespaces: [] },
    gives: 'capture namespace-label',
  },
  {
    says: 'never captures the node proxy',
    pod: { namespace: 'clearmesh-system', labels: { app: 'ztunnel', [MODE]: 'ambient' } },
    settings: ambient,
    gives: 'skip own-proxy',
  },
  {
    says: 'captures an application that is merely called ztunnel',
    pod: { labels: { app: 'ztunnel' } },
    settings: ambient,
    gives: 'capture namespace-label',
  },
  { says: 'skips a pod that succeeded', pod: { phase: 'Succeeded' }, settings: ambient, gives: 'skip finished' },
  { says: 'skips a pod that failed', pod: { phase: 'Failed' }, settings: ambient, gives: 'skip finished' },
  {
    says: 'captures a pending pod that has an address',
    pod: { phase: 'Pending' },
    settings: ambient,
    gives: 'capture namespace-label',
  },
  { says: 'waits for an address', pod: { phase: 'Pending', podIps: [] }, settings: ambient, gives: 'wait no-address' },
  {
    says: 'does not wait for the address of a pod it would skip',
    pod: { podIps: [] },
    settings: plain,
    gives: 'skip not-selected',
  },
];

describe('decideEnrolment', () => {
  for (const { says, pod, settings, gives } of cases) {
    it(says, () => {
      const decision = decideEnrolment({ ...podBase, ...pod }, settings);
      expect(`${decision.kind} ${decision.reason}`).to.equal(gives);
      expect(decision.explanation).to.not.equal('');
    });
  }

  it('names the label or field to look at', () => {
    const { explanation } = decideEnrolment({ ...podBase, ...own('none') }, ambient);
    expect(explanation).to.equal('pod label istio.io/dataplane-mode=none');
  });

  it('captures nothing on the host network, excluded or opted out, whatever else holds', () => {
    const mode = fc.option(fc.constantFrom('ambient', 'none', 'x'), { nil: undefined });
    const labels = mode.map((value): Record<string, string> => (value === undefined ? {} : { [MODE]: value }));
    fc.assert(
      fc.property(labels, labels, fc.boolean(), fc.boolean(), (podLabels, namespaceLabels, hostNetwork, excluded) => {
        const settings = { namespaceLabels, excludedNamespaces: excluded ? ['payments'] : [] };
        const { kind } = decideEnrolment({ ...podBase, labels: podLabels, hostNetwork }, settings);
        const selected = podLabels[MODE] === 'ambient' || (podLabels[MODE] !== 'none' && namespaceLabels[MODE] === 'ambient');
        expect(kind === 'capture').to.equal(selected && !hostNetwork && !excluded);
      }),
    );
  });
});
