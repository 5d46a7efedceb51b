/** Policies that cannot be read and have no good version: what node proxies and waypoints are told instead. */
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { evaluate } from '@clearmesh/shared/policy/evaluate';
import type { MeshModel } from '../../src/derive/mesh-model.ts';
import { clusterConfiguration, clusterModel } from '../fixtures/cluster-configuration.ts';
import { podObject } from '../fixtures/cluster-objects.ts';
import { call } from '../fixtures/derivation.ts';
import { gatewayTarget, serviceTarget } from '../fixtures/manifest-text.ts';
import type { WrittenObject } from '../fixtures/cluster-configuration.ts';

const branch = 'cluster.local/ns/branches/sa/teller';
const strict = 'clearmesh-system/istio_converted_static_strict';
const pods: readonly WrittenObject[] = [
  { kind: 'Pod', ...podObject('ledger', '10.0.0.1') },
  { kind: 'Pod', ...podObject('cards', '10.0.0.2') },
];

const gateway = (name: string, namespace: string): WrittenObject => ({
  kind: 'Gateway',
  metadata: { name, namespace },
  spec: {
    gatewayClassName: 'clearmesh-waypoint',
    listeners: [{ name: 'mesh', port: 15_008, protocol: 'HBONE', allowedRoutes: { namespaces: { from: 'All' } } }],
  },
});
const service = (name: string, namespace: string, behind: string): WrittenObject => ({
  kind: 'Service',
  metadata: {
    name,
    namespace,
    labels: { 'istio.io/use-waypoint': 'gate', 'istio.io/use-waypoint-namespace': behind },
  },
  spec: { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
});
/** Two namespaces with a waypoint each; `bank/fx` is behind the other one. */
const behind: readonly WrittenObject[] = [
  gateway('gate', 'bank'),
  gateway('gate', 'other'),
  service('ledger', 'bank', 'bank'),
  service('cards', 'bank', 'bank'),
  service('fx', 'bank', 'other'),
  service('teller', 'other', 'bank'),
  service('till', 'other', 'other'),
];

function policy(spec: unknown, namespace = 'bank', kind = 'AuthorizationPolicy', name = 'p'): WrittenObject {
  return { kind, metadata: { name, namespace }, spec };
}

/** What layer 4 says of a call by a teller of the branch, or by somebody who proves no identity. */
function layer4({ workloads, policies }: MeshModel, pod: string, caller: 'teller' | 'nobody' = 'teller'): string {
  const workload = workloads.find(({ name }) => name === pod)!;
  const listed = policies.filter(
    ({ key, scope, namespace }) =>
      scope === 'GLOBAL' ||
      (scope === 'NAMESPACE' && namespace === workload.namespace) ||
      workload.authorizationPolicies.includes(key),
  );
  const verdict = evaluate(listed, call(caller === 'teller' ? branch : undefined));
  return verdict.kind === 'deny' ? `deny by ${verdict.policy ?? 'all'}` : verdict.kind;
}

/** Services at which a waypoint refuses everybody because of the policy. */
function refusedAt({ waypoints }: MeshModel, key = 'AuthorizationPolicy bank/p'): readonly string[] {
  return waypoints.flatMap(({ services, policies }) => {
    const written = policies.authorization[key];
    if (written === undefined) return [];
    expect(written).to.deep.include({ action: 'DENY', dryRun: false, rules: [{}] });
    return services.filter(({ authorization }) => authorization.includes(key)).map((each) => each.key.split('.')[0]!);
  });
}

describe('an AuthorizationPolicy that cannot be read, at layer 4', () => {
  it('refuses everybody at the pods that it selects, under its own name, and nobody elsewhere', () => {
    const model = clusterModel([...pods, policy({ action: 'DENNY', selector: { matchLabels: { app: 'ledger' } } })]);
    expect(layer4(model, 'ledger')).to.equal('deny by bank/p');
    expect(layer4(model, 'cards')).to.equal('allow');
  });

  it('refuses everybody in its namespace where it names nobody, or what cannot be read', () => {
    for (const spec of [{ action: 'DENNY' }, { selector: { app: 'ledger' } }, { targetRefs: [{ kind: 'Thing', name: 'x' }] }]) {
      const model = clusterModel([...pods, policy(spec)]);
      expect([layer4(model, 'ledger'), layer4(model, 'cards')]).to.deep.equal(['deny by bank/p', 'deny by bank/p']);
      expect(layer4(clusterModel([...pods, policy(spec, 'other')]), 'ledger')).to.equal('allow');
    }
  });

  it('refuses everybody in the mesh in the root namespace, and there too only whom it selects', () => {
    const root = (spec: unknown): MeshModel => clusterModel([...pods, policy(spec, 'clearmesh-system')]);
    expect(layer4(root({ rulez: [] }), 'ledger')).to.equal('deny by clearmesh-system/p');
    const selecting = root({ rulez: [], selector: { matchLabels: { app: 'ledger' } } });
    expect(layer4(selecting, 'ledger')).to.equal('deny by clearmesh-system/p');
    expect(layer4(selecting, 'cards')).to.equal('allow');
  });

  it('refuses all pods of an empty selector, whatever that means otherwise', () => {
    const model = clusterModel([...pods, policy({ action: 'DENNY', selector: {} })], { emptySelector: 'upstream' });
    expect(layer4(model, 'ledger')).to.equal('deny by bank/p');
  });

  it('does not let an ALLOW beside it allow', () => {
    const allow = policy({ action: 'ALLOW', rules: [{}] }, 'bank', 'AuthorizationPolicy', 'allow');
    expect(layer4(clusterModel([...pods, allow, policy({ rules: [{ from: [] }] })]), 'ledger')).to.equal('deny by bank/p');
  });

  it('leaves layer 4 to others where it names targets, but for pods that it selects beside them', () => {
    const spec = { action: 'DENNY', targetRefs: [serviceTarget('ledger')] };
    expect(layer4(clusterModel([...pods, policy(spec)]), 'ledger')).to.equal('allow');
    const both = clusterModel([...pods, ...behind, policy({ ...spec, selector: { matchLabels: { app: 'cards' } } })]);
    expect([layer4(both, 'ledger'), layer4(both, 'cards')]).to.deep.equal(['allow', 'deny by bank/p']);
    expect(refusedAt(both)).to.deep.equal(['bank/ledger']);
  });
});

describe('an AuthorizationPolicy that cannot be read, at waypoints', () => {
  for (const [title, targetRefs, refused] of [
    ['a Service', [serviceTarget('ledger')], ['bank/ledger']],
    ['a Gateway', [gatewayTarget('gate')], ['bank/cards', 'bank/ledger', 'other/teller']],
  ] as const) {
    it(`refuses everybody at ${title} that it names`, () => {
      const model = clusterModel([...behind, policy({ action: 'DENY', rules: [{ when: [{ key: 'a' }] }], targetRefs })]);
      expect(refusedAt(model)).to.have.members(refused);
    });
  }

  it('refuses everybody in its namespace and at its waypoints where its targets cannot be read', () => {
    const model = clusterModel([...behind, policy({ targetRefs: [{ kind: 'Gatewey', name: 'gate' }] })]);
    expect(refusedAt(model)).to.have.members(['bank/cards', 'bank/ledger', 'other/teller', 'bank/fx']);
  });

  it('refuses everybody at every waypoint in the root namespace', () => {
    const model = clusterModel([...behind, policy({ targetRefs: [{ kind: 'GatewayClass', name: 1 }] }, 'clearmesh-system')]);
    const all = ['bank/cards', 'bank/ledger', 'other/teller', 'bank/fx', 'other/till'];
    expect(refusedAt(model, 'AuthorizationPolicy clearmesh-system/p')).to.have.members(all);
  });

  it('is at no waypoint where a good one would be at none', () => {
    expect(refusedAt(clusterModel([...behind, policy({ action: 'DENNY' })]))).to.deep.equal([]);
  });
});

describe('an OpaPolicy that cannot be read', () => {
  const gate = { kind: 'Gateway', name: 'gate' };
  const opa = (spec: object, namespace = 'bank'): WrittenObject => policy(spec, namespace, 'OpaPolicy');
  const refused = ({ waypoints }: MeshModel, key = 'OpaPolicy bank/p'): readonly string[] =>
    waypoints.flatMap(({ services, policies }) => {
      const told = policies.opa[key];
      if (told === undefined) return [];
      expect(told.engine).to.have.property('kind', 'none');
      return services.filter((service) => service.opa.includes(key)).map((each) => each.key.split('.')[0]!);
    });

  it('has no engine at the services that it names', () => {
    const model = clusterModel([...behind, opa({ targetRefs: [serviceTarget('ledger')], engine: {} })]);
    expect(refused(model)).to.deep.equal(['bank/ledger']);
    const [told] = model.waypoints.flatMap(({ policies }) => policies.opa['OpaPolicy bank/p'] ?? []);
    expect(told).to.deep.include({ path: 'envoy/authz/allow', contextExtensions: {} });
    expect(told).not.to.have.any.keys('body', 'cache');
  });

  it('has none at all services of a Gateway, and of its namespace', () => {
    expect(refused(clusterModel([...behind, opa({ targetRefs: [gate], engine: 1 })]))).to.have.members([
      'bank/cards',
      'bank/ledger',
      'other/teller',
    ]);
    const namespace = { kind: 'Namespace', name: 'bank' };
    expect(refused(clusterModel([...behind, opa({ targetRefs: [namespace], engine: 1 })]))).to.have.members([
      'bank/cards',
      'bank/ledger',
      'bank/fx',
    ]);
  });

  it('has none in its namespace and at its waypoints where its targets cannot be read', () => {
    const model = clusterModel([...behind, opa({ targetRefs: 'ledger', engine: { server: { url: 'http://opa:8181' } } })]);
    expect(refused(model)).to.have.members(['bank/cards', 'bank/ledger', 'other/teller', 'bank/fx']);
  });

  it('reaches no further from the root namespace: it can name no class', () => {
    const key = 'OpaPolicy clearmesh-system/p';
    expect(refused(clusterModel([...behind, opa({ engine: 1 }, 'clearmesh-system')]), key)).to.deep.equal([]);
    const own = service('vault', 'clearmesh-system', 'other');
    expect(refused(clusterModel([...behind, own, opa({ engine: 1 }, 'clearmesh-system')]), key)).to.deep.equal([
      'clearmesh-system/vault',
    ]);
  });
});

describe('a RequestAuthentication that cannot be read', () => {
  const odd = { issuer: 'i', jwks: 'no keys', fromHeaders: [{ name: 'X-Jwt' }], outputPayloadToHeader: 'X-Payload' };
  const told = (spec: object, namespace = 'bank'): Readonly<Record<string, unknown>> => {
    const { waypoints } = clusterModel([...behind, policy(spec, namespace, 'RequestAuthentication')]);
    const key = `RequestAuthentication ${namespace}/p`;
    const all = waypoints.flatMap(({ services, policies }) =>
      services.flatMap((each) => (each.jwt.includes(key) ? [[each.key.split('.')[0]!, policies.jwt[key]] as const] : [])),
    );
    return Object.fromEntries(all);
  };

  it('tells the waypoint where its tokens are, and which headers are its own', () => {
    const unread = [{ fromHeaders: [{ name: 'x-jwt', prefix: '' }], fromParams: [], outputs: ['x-payload'] }];
    expect(told({ targetRefs: [serviceTarget('ledger')], jwtRules: [odd] })).to.deep.equal({
      'bank/ledger': { key: 'RequestAuthentication bank/p', unread },
    });
  });

  it('is at all services of its namespace and its Gateways where its targets cannot be read', () => {
    const found = told({ targetRefs: 'ledger', jwtRules: 1 });
    expect(Object.keys(found)).to.have.members(['bank/cards', 'bank/ledger', 'other/teller', 'bank/fx']);
    expect(Object.values(found)[0]).to.deep.equal({ key: 'RequestAuthentication bank/p', unread: 'all' });
    expect(Object.keys(told({ targetRefs: 'class', jwtRules: 1 }, 'clearmesh-system'))).to.have.length(5);
  });
});

describe('a PeerAuthentication that cannot be read', () => {
  const peer = (name: string, spec: object, created = '2025-06-01T00:00:00Z', namespace = 'bank'): WrittenObject => ({
    kind: 'PeerAuthentication',
    metadata: {
      name,
      namespace,
      creationTimestamp: created,
      ...(name === 'open' ? { annotations: { 'clearmesh.io/permissive-until': '2027-01-01' } } : {}),
    },
    spec,
  });
  const open = peer('open', { mtls: { mode: 'PERMISSIVE' } });
  const openLedger = peer('open', { selector: { matchLabels: { app: 'ledger' } }, mtls: { mode: 'PERMISSIVE' } });
  const plain = (model: MeshModel): readonly string[] => ['ledger', 'cards'].map((pod) => layer4(model, pod, 'nobody'));

  it('is STRICT for the pods that it selects, whatever holds around them', () => {
    const model = clusterModel([...pods, open, peer('p', { selector: { matchLabels: { app: 'ledger' } }, mtls: 'STRICT' })]);
    expect(plain(model)).to.deep.equal([`deny by ${strict}`, 'allow']);
  });

  it('is STRICT for its namespace where the mesh is open', () => {
    const model = clusterModel([...pods, peer('p', { mtls: { mode: 'STRCT' } })], { defaultMtls: 'PERMISSIVE' });
    expect(plain(model)).to.deep.equal([`deny by ${strict}`, `deny by ${strict}`]);
  });

  it('decides as one of its age would: before a younger one, after an older one', () => {
    const wrong = (created: string): WrittenObject => peer('p', { mtls: { mode: 'STRCT' } }, created);
    expect(plain(clusterModel([...pods, open, wrong('2025-01-01T00:00:00Z')]))).to.deep.equal([
      `deny by ${strict}`,
      `deny by ${strict}`,
    ]);
    expect(plain(clusterModel([...pods, open, wrong('2025-12-01T00:00:00Z')]))).to.deep.equal(['allow', 'allow']);
  });

  it('is before a younger one of single pods where it may have been for them', () => {
    const wrong = peer('p', { selector: { app: 'ledger' }, mtls: { mode: 'STRICT' } }, '2025-01-01T00:00:00Z');
    expect(plain(clusterModel([...pods, openLedger, wrong]))).to.deep.equal([`deny by ${strict}`, `deny by ${strict}`]);
  });

  it('is STRICT for the mesh in the root namespace, which namespaces may open', () => {
    const wrong = peer('p', { mtls: 'STRICT', selector: 1 }, '2025-01-01T00:00:00Z', 'clearmesh-system');
    const options = { defaultMtls: 'PERMISSIVE' } as const;
    expect(plain(clusterModel([...pods, wrong], options))).to.deep.equal([`deny by ${strict}`, `deny by ${strict}`]);
    expect(plain(clusterModel([...pods, wrong, open], options))).to.deep.equal(['allow', 'allow']);
  });
});

describe('a configuration with policies that are stood for', () => {
  it('says what each does with each of its problems, and counts what was written only', () => {
    const { problems, objects } = clusterConfiguration([...pods, policy({ action: 'DENNY', rules: 'none' })]);
    expect(objects).to.equal(2);
    expect(problems.map(({ object, field, effect }) => [object, field, effect])).to.deep.equal(
      ['spec.action', 'spec.rules'].map((field) => [
        'AuthorizationPolicy bank/p',
        field,
        'Everybody is refused in namespace bank until it is mended.',
      ]),
    );
  });
});
