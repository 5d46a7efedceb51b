import { expect } from 'chai';
import { describe, it } from 'mocha';
import { checkAfter } from '../../src/check/after.ts';
import type { FactsAfter } from '../../src/check/after.ts';
import { checkBefore } from '../../src/check/before.ts';
import type { FactsBefore } from '../../src/check/before.ts';
import { renderResults } from '../../src/check/render.ts';
import type { Result } from '../../src/check/result.ts';
import { plainStyle } from '../../src/terminal/style.ts';
import { meshView } from '../../src/mesh/mesh-view.ts';
import type { MeshView } from '../../src/mesh/mesh-view.ts';
import type { Problem } from '@clearmesh/shared/document/problem';
import { bank, object, viewOf, waypoint } from '../mesh/bank.ts';

const before: FactsBefore = {
  version: 'v1.33.1',
  rights: [{ what: 'daemonsets', allowed: true }],
  groupVersions: new Set(['gateway.networking.k8s.io/v1']),
  istio: [],
  installed: false,
  problems: [],
};

const node = (name: string): string => object('v1', 'Node', { name }, {});
const own = (app: string, on: string): string =>
  object(
    'v1',
    'Pod',
    { name: `${app}-${on}`, namespace: 'clearmesh-system', labels: { app } },
    { nodeName: on, hostNetwork: true },
  );
const onNodes = ['node-a', 'node-b'].flatMap((name) => [node(name), own('ztunnel', name), own('clearmesh-node-agent', name)]);
const system = object('v1', 'Namespace', { name: 'clearmesh-system' }, {});

const healthy = { desired: 2, ready: 2 };

function after(change: Partial<FactsAfter> = {}): FactsAfter {
  const view = change.view ?? viewOf([bank, system, ...onNodes]);
  return {
    view,
    controlPlane: healthy,
    nodeAgent: healthy,
    ztunnel: healthy,
    groupVersions: new Set(['gateway.networking.k8s.io/v1', 'security.istio.io/v1', 'clearmesh.io/v1alpha1']),
    bundles: [...view.collections.namespaces.keys()].map((namespace) => ({ namespace, rootPem: 'root' })),
    ...change,
  };
}

/** What is not ok, as `verdict name: found`. */
function troubles(results: readonly Result[]): readonly string[] {
  return results.filter(({ verdict }) => verdict !== 'ok').map(({ verdict, name, found }) => `${verdict} ${name}: ${found}`);
}

/** With pods as the node agent left them. */
function annotated(view: MeshView, value: string): MeshView {
  const pods = view.collections.pods.map((pod) => {
    if (pod.metadata.name !== 'payments-0') return pod;
    return { ...pod, metadata: { ...pod.metadata, annotations: { 'ambient.istio.io/redirection': value } } };
  });
  return meshView({ ...view, collections: { ...view.collections, pods } }, view.nowMs);
}

describe('check before an installation', () => {
  it('finds nothing in a cluster that is fit', () => expect(troubles(checkBefore(before))).to.deep.equal([]));

  for (const [name, change, trouble] of [
    ['a version that is too old', { version: 'v1.28.9' }, 'failed Kubernetes version: v1.28.9 is too old'],
    [
      'rights that are missing',
      { rights: [{ what: 'daemonsets', allowed: false }] },
      'failed rights to install: you may not create: daemonsets',
    ],
    [
      'a Gateway API that is missing',
      { groupVersions: new Set(['gateway.networking.k8s.io/v1beta1']) },
      'failed Gateway API: its resources are not there',
    ],
    ['Istio beside it', { istio: ['istio-system/istiod'] }, 'warning Istio: runs already: istio-system/istiod'],
    ['a mesh that is there', { installed: true }, 'warning Clearmesh: is installed already'],
  ] as const) {
    it(`tells of ${name}`, () => expect(troubles(checkBefore({ ...before, ...change }))).to.deep.equal([trouble]));
  }
});

describe('check for policies that a control plane which starts could not read', () => {
  const problem = (object: string, effect?: string): Problem => ({
    code: 'MESH-CONFIG-001',
    file: '',
    line: 0,
    column: 0,
    object,
    field: 'spec.action',
    value: '"CUSTOM"',
    message: 'is not enforced by any proxy of the mesh, so that the policy would do nothing',
    remedy: 'Write ALLOW or DENY.',
    ...(effect === undefined ? {} : { effect }),
  });
  const custom = problem('AuthorizationPolicy bank/ask', 'Everybody is refused in namespace bank until it is mended.');
  const warned = (results: readonly Result[]): Result | undefined => results.find(({ name }) => name === 'policies can be read');

  for (const [when, looked] of [
    ['before an installation', checkBefore({ ...before, problems: [custom] })],
    ['of a mesh', checkAfter(after({ view: { ...after().view, problems: [custom] } }))],
  ] as const) {
    it(`names each, and says what to do, ${when}`, () => {
      expect(warned(looked)).to.deep.include({
        verdict: 'warning',
        found:
          'a control plane that starts (installation, upgrade, restart) cannot read AuthorizationPolicy bank/ask, and refuses what they are for',
        hint: 'Mend or delete them before. AuthorizationPolicy bank/ask: spec.action is not enforced by any proxy of the mesh, so that the policy would do nothing (found "CUSTOM"). Write ALLOW or DENY. Else: Everybody is refused in namespace bank until it is mended.',
      });
    });
  }

  it('names all of many, and spells out the first', () => {
    const many = Array.from({ length: 7 }, (_, index) => ({ ...custom, object: `AuthorizationPolicy bank/${index}` }));
    const found = warned(checkBefore({ ...before, problems: [...many, ...many] }));
    expect(found?.found.match(/bank\/\d/g)).to.deep.equal([0, 1, 2, 3, 4, 5, 6].map((index) => `bank/${index}`));
    expect(found?.hint.match(/bank\/\d/g)).to.have.length(5);
  });

  it('says nothing of an object that refuses nobody, and that it may not look', () => {
    expect(warned(checkBefore({ ...before, problems: [problem('AuthorizationPolicy bank/audit')] }))?.verdict).to.equal('ok');
    expect(warned(checkBefore({ ...before, problems: 'forbidden' }))?.verdict).to.equal('unknown');
  });
});

describe('check of a mesh', () => {
  it('finds nothing in a mesh that works', () => expect(troubles(checkAfter(after()))).to.deep.equal([]));

  for (const [name, change, trouble] of [
    ['a component that is not installed', { ztunnel: undefined }, 'failed ztunnels: not installed'],
    ['replicas that are not ready', { controlPlane: { desired: 2, ready: 1 } }, 'failed control plane: 1 of 2 ready'],
    ['a DaemonSet that no node wants', { nodeAgent: { desired: 0, ready: 0 } }, 'failed node agents: none is wanted'],
    ['a component that may not be read', { ztunnel: 'forbidden' }, 'unknown ztunnels: may not be read by you'],
    [
      'custom resources that are missing',
      { groupVersions: new Set(['security.istio.io/v1', 'clearmesh.io/v1alpha1']) },
      'failed custom resources: not served: gateway.networking.k8s.io/v1',
    ],
    [
      'a node without ztunnel',
      { view: viewOf([bank, system, ...onNodes, node('node-c'), own('clearmesh-node-agent', 'node-c')]) },
      'failed a ztunnel on every node: none is ready on: node-c',
    ],
    [
      'an enrolled pod that is not captured',
      { view: annotated(viewOf([bank, system, ...onNodes]), '') },
      'failed enrolled pods are captured: not captured: payments/payments-0',
    ],
    [
      'a waypoint that is not programmed',
      { view: viewOf([bank, system, ...onNodes, waypoint]) },
      'failed waypoints are programmed: not programmed: ledger/gate',
    ],
  ] as const) {
    it(`tells of ${name}`, () => expect(troubles(checkAfter(after(change)))).to.deep.equal([trouble]));
  }

  it('tells of a namespace without the root certificate, and of one with another', () => {
    const bundles = ['clearmesh-system', 'payments'].map((namespace) => ({ namespace, rootPem: 'root' }));
    const results = checkAfter(after({ bundles: [...bundles, { namespace: 'ledger', rootPem: 'another' }] }));
    expect(troubles(results)).to.deep.equal([
      'failed root certificate in every namespace: missing, or another one, in: ledger, branch',
    ]);
  });

  it('says that traffic of a pod on its way is refused, and that of another passes outside', () => {
    const hints = ['pending', ''].map((value) => {
      const results = checkAfter(after({ view: annotated(viewOf([bank, system, ...onNodes]), value) }));
      return results.find(({ verdict }) => verdict === 'failed')?.hint.split(':')[0];
    });
    expect(hints).to.deep.equal([
      'Their traffic is refused until ztunnel takes them',
      'Their traffic passes outside of the mesh',
    ]);
  });

  it('tells of Services whose waypoint does not take their traffic', () => {
    const lost = object(
      'v1',
      'Service',
      { name: 'lost', namespace: 'ledger', labels: { 'istio.io/use-waypoint': 'nowhere' } },
      { selector: { app: 'ledger' }, ports: [{ port: 80 }] },
    );
    const results = checkAfter(after({ view: viewOf([bank, system, ...onNodes, lost]) }));
    expect(troubles(results)).to.deep.equal([
      'failed waypoints that are asked for take traffic: not bound: ledger/lost.ledger.svc.cluster.local → ledger/nowhere (WaypointIsNotReady)',
    ]);
  });

  it('is printed with what to do below each trouble, and a count', () => {
    const lines = renderResults(checkAfter(after({ ztunnel: { desired: 2, ready: 1 } })), 80, plainStyle);
    expect(lines.slice(1, 4)).to.deep.equal([
      '✔ node agents: 2 of 2 ready',
      '✘ ztunnels: 1 of 2 ready',
      '    → Look why: kubectl -n clearmesh-system logs ds/ztunnel',
    ]);
    expect(lines.at(-1)).to.equal('11 ok, 1 failed');
  });
});
