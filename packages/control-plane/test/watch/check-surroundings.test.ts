import { expect } from 'chai';
import { describe, it } from 'mocha';
import { checkSurroundings } from '../../src/watch/check-surroundings.ts';
import { parseManifestFile } from '../../src/watch/manifest-file.ts';
import { gatewayTarget, gatewayText, namespaceText, objectText, serviceTarget, serviceText } from '../fixtures/manifest-text.ts';

function found(text: string): readonly string[] {
  const rules = { requirePermissiveExpiry: true, rootNamespace: 'clearmesh-system' };
  const { objects, problems } = parseManifestFile('bank.yaml', text, rules);
  expect(problems).to.deep.equal([]);
  return checkSurroundings(objects).map(
    ({ at, finding }) => `${at.manifest.kind} ${finding.path.join('.')} ${String(finding.value)} ${finding.message}`,
  );
}

const test = namespaceText('ledger', { 'clearmesh.io/environment': 'test' });
const production = namespaceText('ledger', { 'clearmesh.io/environment': 'production' });
const experiment = (spec: object = {}): string =>
  objectText('FaultExperiment', 'p', {
    targetRefs: [serviceTarget('ledger')],
    startsAt: '2026-01-01T00:00:00Z',
    owner: 'ann',
    approver: 'ben',
    delay: '1s',
    ...spec,
  });
const money = (target: object): string => objectText('ResiliencePolicy', 'r', { targetRefs: [target], class: 'money-movement' });
const noTest = 'FaultExperiment metadata.namespace ledger is no test environment, and faults are injected nowhere else';
const movesMoney =
  'FaultExperiment spec.targetRefs.0.name ledger moves money (class money-movement of its ResiliencePolicy), and is never part of an experiment';
const pod = (name: string, account: string, labels: object = {}): string =>
  objectText('Pod', name, { serviceAccountName: account }, { labels });

describe('checkSurroundings', () => {
  const table: readonly [string, string, readonly string[]][] = [
    ['an experiment in a test environment, however large', `${test}${experiment({ percent: 100 })}`, []],
    [
      'an experiment on what moves money in a test environment',
      `${test}${money(serviceTarget('ledger'))}${experiment()}`,
      [movesMoney],
    ],
    ['an experiment in production', `${production}${experiment()}`, [noTest]],
    ['an experiment in a namespace that says nothing', `${namespaceText('ledger')}${experiment()}`, [noTest]],
    ['an experiment in a namespace that is not there', experiment(), [noTest]],
    ['an experiment on a Gateway in production', `${production}${experiment({ targetRefs: [gatewayTarget('gate')] })}`, [noTest]],
    [
      'a large experiment in production',
      `${production}${experiment({ percent: 6 })}`,
      [noTest, 'FaultExperiment spec.percent 6 is more than an experiment may touch here'],
    ],
    ['an experiment on what moves money', `${production}${money(serviceTarget('ledger'))}${experiment()}`, [noTest, movesMoney]],
    [
      'an experiment where the whole namespace moves money',
      `${production}${money({ kind: 'Namespace', name: 'ledger' })}${experiment()}`,
      [noTest, movesMoney],
    ],
    [
      'a pod under the account of a waypoint',
      `${gatewayText('gate')}${pod('a', 'gate')}`,
      ['Pod spec.serviceAccountName gate is the account of the waypoint ledger/gate, whose identity would be the pod’s'],
    ],
    [
      'a pod of another Gateway under the account of a waypoint',
      `${gatewayText('gate')}${pod('a', 'gate', { 'gateway.networking.k8s.io/gateway-name': 'other' })}`,
      ['Pod spec.serviceAccountName gate is the account of the waypoint ledger/gate, whose identity would be the pod’s'],
    ],
    [
      'a pod of the waypoint under its account',
      `${gatewayText('gate')}${pod('a', 'gate', { 'gateway.networking.k8s.io/gateway-name': 'gate' })}`,
      [],
    ],
    ['a pod under an account that only reads like it', `${gatewayText('gate', { namespace: 'bank' })}${pod('a', 'gate')}`, []],
    [
      'a pod under the account of another class of Gateway',
      `${gatewayText('gate', { className: 'istio' })}${pod('a', 'gate')}`,
      [],
    ],
    [
      'a Service of a waypoint’s name',
      `${gatewayText('gate')}${serviceText('gate')}`,
      ['Service metadata.name gate is the name of a Service that follows from a waypoint’s Gateway'],
    ],
    [
      'a pod of the name of a waypoint’s pod',
      `${gatewayText('gate')}${pod('gate-0', 'default')}`,
      ['Pod metadata.name gate-0 is the name of a Pod that follows from a waypoint’s Gateway'],
    ],
    ['a pod beyond the replicas', `${gatewayText('gate')}${pod('gate-1', 'default')}`, []],
  ];
  for (const [title, text, expected] of table) {
    it(`${expected.length === 0 ? 'accepts' : 'refuses'} ${title}`, () => {
      expect(found(text)).to.deep.equal(expected);
    });
  }
});
