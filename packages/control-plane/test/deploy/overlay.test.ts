import { expect } from 'chai';
import { describe, it } from 'mocha';
import { gateway } from '../fixtures/gateways.ts';
import { named, objectsOf, overlayMap, podOf, refusal } from '../fixtures/made-waypoint.ts';
import type { KubernetesObject } from '../../src/deploy/kubernetes-object.ts';

const withOverlay = (key: string, text: string): ReadonlyMap<string, KubernetesObject> =>
  objectsOf(gateway('gate', { infrastructure: named }), [overlayMap({ [key]: text })]);

describe('overlays', () => {
  it('changes what they name and keeps the rest', () => {
    const text = `spec: { template: { spec: { containers: [{ name: waypoint, image: bank/waypoint:1, env: [{ name: RUST_LOG, value: debug }] }] } } }`;
    const [container, ...others] = podOf(withOverlay('deployment', text)).containers;
    expect(others).to.deep.equal([]);
    expect(container?.image).to.equal('bank/waypoint:1');
    expect(container?.env.filter(({ name }) => name === 'RUST_LOG')).to.deep.equal([{ name: 'RUST_LOG', value: 'debug' }]);
    expect(container?.env).to.have.length(18);
  });

  it('makes an autoscaler and a disruption budget where they are asked for', () => {
    const objects = objectsOf(gateway('gate', { infrastructure: named }), [
      overlayMap({ horizontalPodAutoscaler: 'spec: { maxReplicas: 5 }', podDisruptionBudget: 'spec: { maxUnavailable: 1 }' }),
    ]);
    expect(objects.get('HorizontalPodAutoscaler')?.spec).to.deep.include({
      maxReplicas: 5,
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'gate' },
    });
    expect(objects.get('PodDisruptionBudget')?.spec).to.deep.include({ maxUnavailable: 1 });
  });

  it('applies defaults of the class first', () => {
    const maps = [
      overlayMap(
        { deployment: 'spec: { replicas: 2, minReadySeconds: 5 }' },
        { name: 'defaults', namespace: 'clearmesh-system', forClass: 'clearmesh-waypoint' },
      ),
      overlayMap(
        { deployment: 'spec: { replicas: 9 }' },
        { name: 'others', namespace: 'clearmesh-system', forClass: 'istio-waypoint' },
      ),
      overlayMap(
        { deployment: 'spec: { replicas: 8 }' },
        { name: 'elsewhere', namespace: 'ledger', forClass: 'clearmesh-waypoint' },
      ),
      overlayMap({ deployment: 'spec: { replicas: 4 }' }),
    ];
    expect(objectsOf(gateway('gate'), maps).get('Deployment')?.spec).to.deep.include({ replicas: 2, minReadySeconds: 5 });
    expect(objectsOf(gateway('gate', { infrastructure: named }), maps).get('Deployment')?.spec).to.deep.include({
      replicas: 4,
      minReadySeconds: 5,
    });
  });

  const refused: readonly (readonly [string, string, string, string])[] = [
    ['the name', 'service', 'metadata: { name: other }', 'metadata.name'],
    ['the namespace', 'service', 'metadata: { namespace: kube-system }', 'metadata.namespace'],
    ['the kind', 'service', 'kind: Secret', 'kind'],
    [
      'the owner',
      'serviceAccount',
      'metadata: { ownerReferences: [{ uid: uid-gate, $patch: delete }] }',
      'metadata.ownerReferences',
    ],
    [
      'the mark',
      'service',
      'metadata: { labels: { gateway.clearmesh.io/managed: null } }',
      'metadata.labels.gateway.clearmesh.io/managed',
    ],
    ['the selector', 'service', 'spec: { selector: { app: other } }', 'spec.selector'],
    [
      'the account',
      'deployment',
      'spec: { template: { spec: { serviceAccountName: ledger } } }',
      'spec.template.spec.serviceAccountName',
    ],
    [
      'the capture',
      'deployment',
      'spec: { template: { metadata: { labels: { istio.io/dataplane-mode: ambient } } } }',
      'spec.template.metadata.labels.istio.io/dataplane-mode',
    ],
    ['what is scaled', 'horizontalPodAutoscaler', 'spec: { scaleTargetRef: { name: ledger } }', 'spec.scaleTargetRef'],
    ['whose disruption', 'podDisruptionBudget', 'spec: { selector: { matchLabels: { a: b } } }', 'spec.selector'],
    ['nothing, since it is no mapping', 'deployment', '- a', 'is no mapping'],
    ['nothing, since it is no YAML', 'deployment', 'spec: {', 'is no YAML'],
    [
      'nothing, since a container has no name',
      'deployment',
      'spec: { template: { spec: { containers: [{ image: x }] } } }',
      'item without name',
    ],
    ['the network', 'deployment', 'spec: { template: { spec: { hostNetwork: true } } }', 'spec.template.spec.hostNetwork'],
    [
      'files of the node',
      'deployment',
      'spec: { template: { spec: { volumes: [{ name: x, hostPath: { path: / } }] } } }',
      'hostPath',
    ],
    [
      'the user',
      'deployment',
      'spec: { template: { spec: { containers: [{ name: waypoint, securityContext: { runAsUser: 0 } }] } } }',
      'runAsUser',
    ],
    [
      'the user of all',
      'deployment',
      'spec: { template: { spec: { securityContext: { runAsNonRoot: false } } } }',
      'runAsNonRoot',
    ],
    [
      'rights',
      'deployment',
      'spec: { template: { spec: { containers: [{ name: waypoint, securityContext: { privileged: true } }] } } }',
      'privileged',
    ],
    [
      'capabilities',
      'deployment',
      'spec: { template: { spec: { containers: [{ name: waypoint, securityContext: { capabilities: { add: [NET_ADMIN] } } }] } } }',
      'capabilities.add',
    ],
    [
      'rights of another container',
      'deployment',
      'spec: { template: { spec: { containers: [{ name: other, image: x }] } } }',
      'allowPrivilegeEscalation',
    ],
    [
      'rights of a first container',
      'deployment',
      'spec: { template: { spec: { initContainers: [{ name: other, securityContext: { privileged: true } }] } } }',
      'initContainers[0]',
    ],
  ];
  for (const [what, key, text, where] of refused) {
    it(`makes nothing when one changes ${what}`, () => {
      const message = refusal(gateway('gate', { infrastructure: named }), [overlayMap({ [key]: text })]);
      expect(message).to.include(`ConfigMap ledger/options, key ${key}`).and.to.include(where);
    });
  }

  it('makes nothing without the ConfigMap that is named', () => {
    expect(refusal(gateway('gate', { infrastructure: named }))).to.include('ledger/options, which does not exist');
  });

  it('makes nothing of parameters that are no ConfigMap', () => {
    const infrastructure = `parametersRef: { group: bank.example, kind: Options, name: x }`;
    expect(refusal(gateway('gate', { infrastructure })))
      .to.include('names a Options')
      .and.to.include('Name a ConfigMap');
  });
});
