import { expect } from 'chai';
import { describe, it } from 'mocha';
import { describeStatus, stateOf } from '../src/status.ts';
import type { ClusterStatus } from '../src/status.ts';

type Facts = Omit<ClusterStatus, 'state'>;

function facts(change: Partial<Facts> = {}): Facts {
  return {
    kubeconfig: '/run/kubeconfig',
    machines: [{ name: 'vault-a', on: true, programs: [{ name: 'kubelet', running: true }] }],
    nodes: [{ name: 'vault-a', ready: true }],
    dns: true,
    left: ['/run/netns/cm-cluster-vault-a'],
    ...change,
  };
}

const off: Facts['machines'] = [{ name: 'vault-a', on: false, programs: [{ name: 'kubelet', running: false }] }];
const ended: Facts['machines'] = [{ name: 'vault-a', on: true, programs: [{ name: 'kubelet', running: false }] }];

describe('the state of the cluster', () => {
  const cases: readonly (readonly [string, Facts, ClusterStatus['state']])[] = [
    ['up when programs run, nodes are ready and DNS answers', facts(), 'up'],
    ['down when every machine is off and nothing is left', facts({ machines: off, nodes: [], dns: false, left: [] }), 'down'],
    ['partly when a program has ended', facts({ machines: ended }), 'partly'],
    ['partly when a node is not ready', facts({ nodes: [{ name: 'vault-a', ready: false }] }), 'partly'],
    ['partly when a node is missing', facts({ nodes: [] }), 'partly'],
    ['partly when DNS does not answer', facts({ dns: false }), 'partly'],
    ['partly when all is off and something is left', facts({ machines: off, nodes: [], dns: false }), 'partly'],
  ];
  for (const [title, given, state] of cases) it(`is ${title}`, () => expect(stateOf(given, 1)).to.equal(state));

  it('is told with every program, and where the kubeconfig is', () => {
    expect(describeStatus({ state: 'partly', ...facts({ machines: ended }) }).split('\n')).to.deep.equal([
      'cluster  partly',
      'vault-a  ✘ kubelet',
      '✔ node vault-a is ready',
      '✔ DNS answers',
      'KUBECONFIG=/run/kubeconfig',
    ]);
  });

  it('names what a crash left', () => {
    const text = describeStatus({ state: 'partly', ...facts({ machines: off, nodes: [], dns: false }) });
    expect(text).to.include('left: /run/netns/cm-cluster-vault-a');
  });
});
