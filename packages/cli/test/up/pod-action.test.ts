import { expect } from 'chai';
import { describe, it } from 'mocha';
import { fingerprint } from '../../src/up/desired-pod.ts';
import type { DesiredPod } from '../../src/up/desired-pod.ts';
import { nextAction } from '../../src/up/pod-action.ts';
import type { ObservedPod, PodAction } from '../../src/up/pod-action.ts';

const pod: DesiredPod = {
  key: 'ledger/ledger-0',
  namespace: 'ledger',
  name: 'ledger-0',
  nodeName: 'node-b',
  serviceAccount: 'ledger',
  labels: {},
  container: { command: ['node', 'ledger.ts'], env: {}, envFromFields: {}, workingDir: '.', port: 8080, namedPorts: {} },
  enrolled: false,
  redirection: {},
  terminating: false,
  graceSeconds: 30,
};
const meshPod: DesiredPod = { ...pod, enrolled: true };
const sandbox: ObservedPod = {
  fingerprint: fingerprint(pod),
  process: 'none',
  redirection: 'none',
  ready: false,
  retired: false,
};
const serving: ObservedPod = { ...sandbox, process: 'running', ready: true };
const captured: ObservedPod = { ...serving, redirection: 'enabled' };

const table: readonly (readonly [string, DesiredPod | undefined, ObservedPod | undefined, PodAction])[] = [
  ['a new pod gets its namespace', pod, undefined, 'sandbox'],
  ['a namespace gets its process', pod, sandbox, 'launch'],
  ['a pod of the mesh is captured before its process starts', meshPod, sandbox, 'enrol'],
  ['a captured namespace gets its process', meshPod, { ...sandbox, redirection: 'enabled' }, 'launch'],
  ['a started process is observed until it is ready', pod, { ...serving, ready: false }, 'observe'],
  ['a ready pod is left alone', pod, serving, 'rest'],
  ['a label captures a running pod', meshPod, serving, 'enrol'],
  ['a capture the proxy has not acknowledged is tried again', meshPod, { ...serving, redirection: 'pending' }, 'enrol'],
  ['a captured ready pod is left alone', meshPod, captured, 'rest'],
  ['a label taken away gives the traffic back', pod, captured, 'release'],
  ['a half-done capture is undone as well', pod, { ...serving, redirection: 'pending' }, 'release'],
  ['a process that ended by itself is started again', pod, { ...serving, process: 'exited', ready: false }, 'relaunch'],
  ['a pod without a manifest goes out of service first', undefined, captured, 'retire'],
  ['a terminating pod goes out of service first', { ...meshPod, terminating: true }, captured, 'retire'],
  ['then its process ends', undefined, { ...captured, ready: false, retired: true }, 'terminate'],
  ['then its traffic is released', undefined, { ...captured, process: 'exited' }, 'release'],
  ['then its namespace goes', undefined, { ...serving, process: 'exited' }, 'remove'],
  ['a terminating pod is not started again', { ...pod, terminating: true }, undefined, 'rest'],
  ['a pod whose command changed is retired', { ...pod, container: { ...pod.container, command: ['other'] } }, serving, 'retire'],
  ['a pod that moved to another node is retired', { ...pod, nodeName: 'node-a' }, serving, 'retire'],
  ['nothing stays nothing', undefined, undefined, 'rest'],
];

describe('nextAction', () => {
  for (const [name, desired, observed, action] of table) {
    it(`${action}: ${name}`, () => {
      expect(nextAction(desired, observed)).to.equal(action);
    });
  }
});
