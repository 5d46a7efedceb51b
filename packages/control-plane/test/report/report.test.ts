import { expect } from 'chai';
import { describe, it } from 'mocha';
import { derive } from '../../src/derive/derive.ts';
import { defaultDeriveOptions } from '../../src/derive/options.ts';
import { reportStatus } from '../../src/report/report.ts';
import { now } from '../fixtures/derivation.ts';
import {
  collectionsFrom,
  gatewayTarget,
  gatewayText,
  namespaceText,
  objectText,
  serviceTarget,
  serviceText,
} from '../fixtures/manifest-text.ts';
import type { Condition, ObjectStatus } from '../../src/report/status-report.ts';

const bound = { 'istio.io/use-waypoint': 'gate' };
const base = `${gatewayText('gate')}${serviceText('ledger', { labels: bound })}${serviceText('plain')}`;
const limit = { limits: [{ name: 'all', requests: 1, window: '1s' }] };
const ready = ['ledger/gate-0'];

function statusOf(
  key: string,
  text: string,
  facts: {
    readonly ready?: readonly string[];
    readonly refusals?: Readonly<Record<string, string>>;
    readonly nowMs?: number;
  } = {},
): ObjectStatus | undefined {
  const { nowMs = now } = facts;
  const collections = collectionsFrom(text, facts.ready ?? ready);
  const model = derive(collections, defaultDeriveOptions, nowMs);
  const refusals = new Map([['ledger/gate', new Map(Object.entries(facts.refusals ?? {}))]]);
  return reportStatus({ configured: { collections, model, nowMs }, refusals, problems: [] }, defaultDeriveOptions).objects[key];
}

const told = ({ type, status, reason, message }: Condition): string => `${type} ${status} ${reason}: ${message}`;
const conditions = (...given: Parameters<typeof statusOf>): readonly string[] | undefined =>
  statusOf(...given)?.conditions?.map(told);

describe('the status of a Gateway', () => {
  it('is programmed once a pod of it is ready', () => {
    expect(conditions('Gateway ledger/gate', base)).to.include(
      'Programmed True Programmed: the waypoint is served at gate.ledger.svc.cluster.local:15008',
    );
    expect(statusOf('Gateway ledger/gate', base)?.addresses).to.deep.equal([
      { type: 'Hostname', value: 'gate.ledger.svc.cluster.local' },
    ]);
  });

  it('says before that that calls are refused', () => {
    expect(conditions('Gateway ledger/gate', base, { ready: [] })).to.include(
      'Programmed False AddressNotAssigned: no pod is ready behind gate.ledger.svc.cluster.local:15008; calls that need it are refused',
    );
    expect(statusOf('Gateway ledger/gate', base, { ready: [] })).not.to.have.property('addresses');
  });

  it('tells which pod refuses its configuration, and why', () => {
    expect(conditions('Gateway ledger/gate', base, { refusals: { 'gate-0': 'json/services: no' } })).to.include(
      'Programmed False Invalid: pod gate-0 refuses its configuration, and serves the last one it took: json/services: no',
    );
    expect(conditions('Gateway ledger/gate', base, { refusals: { 'gate-0': 'x', 'gate-1': 'y' } })?.join()).to.match(
      /1 more pods/,
    );
  });

  it('accepts the listener for tunnels, and no other', () => {
    const text = gatewayText('gate').replace('}]', '},{"name":"web","port":80,"protocol":"HTTP"}]');
    expect(
      statusOf('Gateway ledger/gate', text)?.listeners?.map(
        ({ name, conditions: own }) => `${name} ${own[0]?.status} ${own[0]?.reason}`,
      ),
    ).to.deep.equal(['mesh True Accepted', 'web False UnsupportedProtocol']);
  });

  it('is not reported for classes of others', () => {
    expect(statusOf('Gateway ledger/gate', gatewayText('gate', { className: 'istio' }))).to.equal(undefined);
  });
});

describe('the status of a Service', () => {
  const table: readonly [string, string, readonly string[], RegExp][] = [
    ['behind a waypoint', base, ready, /^istio.io\/WaypointBound True WaypointAccepted: waypoint ledger\/gate takes/],
    ['behind one that is not ready', base, [], /False WaypointIsNotReady: .* is not ready; calls are refused until it is$/],
    [
      'behind one that is missing',
      serviceText('ledger', { labels: bound }),
      [],
      /False WaypointIsNotReady: .* does not exist.*; calls are refused/,
    ],
    [
      'behind one that does not admit it',
      `${gatewayText('gate', { allowed: { from: 'None' } })}${serviceText('ledger', { labels: bound })}`,
      ready,
      /False AttachmentDenied: .*; calls are refused$/,
    ],
    [
      'that asks one for workloads',
      `${gatewayText('gate', { labels: { 'istio.io/waypoint-for': 'workload' } })}${serviceText('ledger', { labels: bound })}`,
      ready,
      /False UnsupportedTrafficType: .*; calls are refused$/,
    ],
    [
      'that inherits one for workloads',
      `${namespaceText('ledger', bound)}${gatewayText('gate', { labels: { 'istio.io/waypoint-for': 'workload' } })}${serviceText('ledger')}`,
      ready,
      /False UnsupportedTrafficType: .*; traffic does not pass it$/,
    ],
  ];
  for (const [title, text, pods, expected] of table) {
    it(`says what becomes of one ${title}`, () => {
      expect(conditions('Service ledger/ledger', text, { ready: pods })?.join()).to.match(expected);
    });
  }

  it('is none where nothing names a waypoint', () => {
    expect(statusOf('Service ledger/plain', base)).to.equal(undefined);
  });

  it('says which annotation cannot be followed, beside the waypoint', () => {
    const annotations = { 'clearmesh.io/connect-attempts': '9', 'clearmesh.io/load-balancing': 'best' };
    const text = `${gatewayText('gate')}${serviceText('ledger', { labels: bound, annotations })}${serviceText('plain', { annotations })}`;
    const refused =
      'clearmesh.io/Accepted False UnsupportedValue: annotation clearmesh.io/load-balancing is "best", which is not random or least-request; endpoints are drawn at random; annotation clearmesh.io/connect-attempts is "9", which is not a number from 1 to 5; one endpoint is tried';
    expect(conditions('Service ledger/ledger', text)).to.have.length(2).and.include(refused);
    expect(conditions('Service ledger/plain', text)).to.deep.equal([refused]);
    const spec = { hosts: ['partner.example'], ports: [{ number: 443, name: 'tls', protocol: 'TLS' }], resolution: 'DNS' };
    expect(conditions('ServiceEntry ledger/partner', objectText('ServiceEntry', 'partner', spec, { annotations }))).to.include(
      refused,
    );
  });
});

describe('the status of a route', () => {
  const route = (rule: object, kind = 'HTTPRoute', name = 'ledger', metadata: object = {}): string =>
    objectText(kind, 'r', { parentRefs: [{ ...serviceTarget(name), namespace: 'ledger' }], rules: [rule] }, metadata);
  const of = (text: string, key = 'HTTPRoute ledger/r'): string =>
    (statusOf(key, `${base}${text}`)?.parents ?? [])
      .flatMap((parent) => parent.conditions.map(({ type, status, reason }) => `${type} ${status} ${reason}`))
      .join(', ');
  const good = { backendRefs: [{ name: 'plain', port: 80 }] };
  const waypoints = 'ResolvedWaypoints True ResolvedWaypoints';
  const resolved = 'ResolvedRefs True ResolvedRefs';

  const table: readonly [string, string, string, string?][] = [
    ['that is right', route(good), `Accepted True Accepted, ${resolved}, ${waypoints}`],
    [
      'of gRPC that is right',
      route(good, 'GRPCRoute'),
      `Accepted True Accepted, ${resolved}, ${waypoints}`,
      'GRPCRoute ledger/r',
    ],
    [
      'for a Service that is not there',
      route(good, 'HTTPRoute', 'gone'),
      `Accepted False NoMatchingParent, ${resolved}, ${waypoints}`,
    ],
    [
      'to a backend that is not there',
      route({ backendRefs: [{ name: 'gone', port: 80 }] }),
      `Accepted True Accepted, ResolvedRefs False BackendNotFound, ${waypoints}`,
    ],
    [
      'to a backend of another kind',
      route({ backendRefs: [{ group: 'acme', kind: 'Box', name: 'x' }] }),
      `Accepted True Accepted, ResolvedRefs False InvalidKind, ${waypoints}`,
    ],
    [
      'with a mirror to nobody',
      route({ ...good, filters: [{ type: 'RequestMirror', requestMirror: { backendRef: { name: 'gone', port: 80 } } }] }),
      `Accepted True Accepted, ResolvedRefs False BackendNotFound, ${waypoints}`,
    ],
    [
      'from the namespace of a consumer',
      route({ backendRefs: [{ name: 'plain', namespace: 'ledger', port: 80 }] }, 'HTTPRoute', 'ledger', { namespace: 'bank' }),
      `Accepted False NotAllowedByListeners, ${resolved}, ${waypoints}`,
      'HTTPRoute bank/r',
    ],
  ];
  for (const [title, text, expected, key] of table) {
    it(`says what becomes of one ${title}`, () => {
      expect(of(text, key)).to.equal(expected);
    });
  }

  it('says that nobody carries out one for a Service without waypoint', () => {
    const status = statusOf('HTTPRoute ledger/r', `${base}${route(good, 'HTTPRoute', 'plain')}`);
    expect(status?.parents?.[0]?.conditions.at(-1)?.message).to.match(/behind no waypoint/);
  });
});

describe('the status of a policy', () => {
  const policy = (kind: string, targetRefs: readonly object[], spec: object = {}, name = 'p'): string =>
    objectText(kind, name, { targetRefs, ...spec });
  const service = 'ledger/ledger.ledger.svc.cluster.local';

  const table: readonly [string, string, readonly object[], string, readonly string[]][] = [
    ['for a service behind a waypoint', 'OpaPolicy', [serviceTarget('ledger')], 'Accepted True Accepted', [service]],
    ['for a waypoint', 'OpaPolicy', [gatewayTarget('gate')], 'Accepted True Accepted', [service]],
    ['for a namespace', 'OpaPolicy', [{ kind: 'Namespace', name: 'ledger' }], 'Accepted True Accepted', [service]],
    ['for a service behind none', 'OpaPolicy', [serviceTarget('plain')], 'Accepted False AncestorNotBound', []],
    ['for a service that is not there', 'OpaPolicy', [serviceTarget('gone')], 'Accepted False TargetNotFound', []],
    ['for a Gateway that is not there', 'OpaPolicy', [gatewayTarget('gone')], 'Accepted False TargetNotFound', []],
    [
      'for one target that is there and one that is not',
      'OpaPolicy',
      [serviceTarget('gone'), serviceTarget('ledger')],
      'Accepted True PartiallyInvalid',
      [service],
    ],
    [
      'of Istio for a service behind a waypoint',
      'AuthorizationPolicy',
      [serviceTarget('ledger')],
      'WaypointAccepted True Accepted',
      [service],
    ],
    [
      'of Istio for a service behind none',
      'AuthorizationPolicy',
      [serviceTarget('plain')],
      'WaypointAccepted False AncestorNotBound',
      [],
    ],
    [
      'of Istio for a service that is not there',
      'AuthorizationPolicy',
      [serviceTarget('gone')],
      'WaypointAccepted False TargetNotFound',
      [],
    ],
    [
      'of Istio for one of two',
      'AuthorizationPolicy',
      [serviceTarget('plain'), serviceTarget('ledger')],
      'WaypointAccepted True PartiallyInvalid',
      [service],
    ],
  ];
  for (const [title, kind, targetRefs, expected, services] of table) {
    it(`says what becomes of one ${title}`, () => {
      const spec = kind === 'OpaPolicy' ? { engine: { server: { url: 'http://o' } } } : { rules: [{}] };
      const status = statusOf(`${kind} ledger/p`, `${base}${policy(kind, targetRefs, spec)}`);
      expect(status?.conditions?.map(({ type, status: value, reason }) => `${type} ${value} ${reason}`)).to.deep.equal([
        expected,
      ]);
      expect(status?.services).to.deep.equal(services);
    });
  }

  it('says of a ResiliencePolicy that another decides', () => {
    const text = `${base}${policy('ResiliencePolicy', [gatewayTarget('gate')])}${policy('ResiliencePolicy', [serviceTarget('ledger')], {}, 'q')}`;
    expect(conditions('ResiliencePolicy ledger/p', text)?.join()).to.match(/^Accepted False Conflicted/);
    expect(conditions('ResiliencePolicy ledger/q', text)?.join()).to.match(/^Accepted True Accepted: in force in ledger\/ledger/);
  });

  it('says of an experiment that it is over, or not allowed where it aims', () => {
    const people = { startsAt: '2026-01-01T00:00:00Z', owner: 'ann', approver: 'ben', delay: '1s' };
    const text = `${namespaceText('ledger', { 'clearmesh.io/environment': 'test' })}${base}${policy('FaultExperiment', [serviceTarget('ledger')], people)}`;
    expect(conditions('FaultExperiment ledger/p', text)?.join()).to.match(/^Accepted True Accepted/);
    expect(conditions('FaultExperiment ledger/p', text, { nowMs: now + 3_600_000 })?.join()).to.equal(
      'Accepted False Expired: ended at 2026-01-01T00:15:00.000Z',
    );
    const production = text.replace('"test"', '"production"');
    expect(conditions('FaultExperiment ledger/p', production)?.join()).to.match(/^Accepted False EnvironmentNotAllowed/);
  });

  it('says where the rules of a policy without targets are enforced', () => {
    const l4 = objectText('AuthorizationPolicy', 'p', { rules: [{ to: [{ operation: { ports: ['80'] } }] }] });
    const l7 = objectText('AuthorizationPolicy', 'p', { action: 'DENY', rules: [{ to: [{ operation: { methods: ['GET'] } }] }] });
    expect(conditions('AuthorizationPolicy ledger/p', l4)).to.deep.equal([
      'ZtunnelAccepted True Accepted: enforced by the node proxies',
    ]);
    expect(conditions('AuthorizationPolicy ledger/p', l7)?.join()).to.match(
      /^ZtunnelAccepted True UnsupportedValue: .*cannot see methods.*denied/,
    );
  });

  it('holds a rate limit of every kind of target', () => {
    expect(
      statusOf('RateLimitPolicy ledger/p', `${base}${policy('RateLimitPolicy', [gatewayTarget('gate')], limit)}`)?.services,
    ).to.deep.equal([service]);
  });
});

describe('the whole status', () => {
  const problem = {
    code: 'MESH-CONFIG-001',
    file: 'bank.yaml',
    line: 1,
    column: 1,
    object: 'Pod bank/a',
    field: 'spec',
    value: '',
    message: 'is wrong',
    remedy: 'Mend it.',
  } as const;

  it('says whether what is served is what the manifests say', () => {
    const collections = collectionsFrom(base);
    const configured = { collections, model: derive(collections, defaultDeriveOptions, now), nowMs: now };
    const of = (facts: object): string =>
      reportStatus({ refusals: new Map(), problems: [], ...facts }, defaultDeriveOptions).serving;
    expect(of({})).to.equal('none');
    expect(of({ configured })).to.equal('current');
    expect(of({ configured, problems: [problem] })).to.equal('last-good');
    expect(of({ problems: [problem] })).to.equal('none');
  });
});
