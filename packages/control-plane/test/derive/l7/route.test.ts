import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { HttpRoute, RouteFilter } from '@clearmesh/shared/model/l7/route';
import { configurationFrom, gatewayText, namespaceText, objectText, serviceText } from '../../fixtures/manifest-text.ts';

const parent = { group: '', kind: 'Service', name: 'ledger' };
const base = `${gatewayText('gate', { allowed: { from: 'All' } })}${serviceText('ledger', { labels: { 'istio.io/use-waypoint': 'gate' } })}${serviceText('v2')}`;

function routesOf(text: string): readonly HttpRoute[] {
  return (
    configurationFrom(`${base}${text}`, 'ledger/gate').services.find(({ key }) => key.startsWith('ledger/ledger.'))?.routes ?? []
  );
}

function http(rule: object, name = 'r', facts: object = {}): string {
  return objectText('HTTPRoute', name, { parentRefs: [parent], rules: [rule], ...facts });
}

function grpc(matches: readonly object[]): string {
  return objectText('GRPCRoute', 'r', { parentRefs: [parent], rules: [{ matches, backendRefs: [{ name: 'v2', port: 80 }] }] });
}

const toV2 = { backendRefs: [{ name: 'v2', port: 80 }] };
const v2 = { service: 'ledger/v2.ledger.svc.cluster.local', port: 80 };

describe('the routes of a service', () => {
  it('carry matches, backends, timeouts and retry', () => {
    const rule = {
      name: 'pay',
      matches: [
        {
          path: { type: 'Exact', value: '/pay' },
          method: 'POST',
          headers: [{ name: 'X-Desk', value: 'north' }],
          queryParams: [{ type: 'RegularExpression', name: 'Region', value: 'e.*' }],
        },
        { path: { value: '/v2' } },
      ],
      backendRefs: [
        { name: 'ledger', port: 80, weight: 9 },
        { name: 'v2', port: 80, filters: [{ type: 'RequestHeaderModifier', requestHeaderModifier: { remove: ['X-Old'] } }] },
      ],
      timeouts: { request: '10s', backendRequest: '2s' },
      retry: { codes: [503], attempts: 2, backoff: '50ms' },
    };
    const facts = { hostnames: ['Ledger.Bank.Example', '*.example'] };
    expect(routesOf(http(rule, 'r', facts))).to.deep.equal([
      {
        key: 'HTTPRoute ledger/r',
        ports: [],
        hostnames: ['ledger.bank.example', '*.example'],
        rules: [
          {
            name: 'pay',
            matches: [
              {
                path: { type: 'Exact', value: '/pay' },
                method: 'POST',
                headers: [{ type: 'Exact', name: 'x-desk', value: 'north' }],
                query: [{ type: 'RegularExpression', name: 'Region', value: 'e.*' }],
              },
              { path: { type: 'PathPrefix', value: '/v2' }, headers: [], query: [] },
            ],
            filters: [],
            backends: [
              { kind: 'service', weight: 9, filters: [], service: 'ledger/ledger.ledger.svc.cluster.local', port: 80 },
              { kind: 'service', weight: 1, filters: [{ kind: 'request-headers', set: [], add: [], remove: ['x-old'] }], ...v2 },
            ],
            timeouts: { requestMs: 10_000, backendRequestMs: 2000 },
            retry: { codes: [503], attempts: 2, backoffMs: 50 },
          },
        ],
      },
    ]);
  });

  it('take no timeout for 0s', () => {
    expect(routesOf(http({ ...toV2, timeouts: { request: '0s' } }))[0]?.rules[0]?.timeouts).to.deep.equal({});
  });

  const filters: readonly [string, object, RouteFilter][] = [
    [
      'headers of the request',
      {
        type: 'RequestHeaderModifier',
        requestHeaderModifier: { set: [{ name: 'A', value: '1' }], add: [{ name: 'B', value: '2' }] },
      },
      { kind: 'request-headers', set: [['a', '1']], add: [['b', '2']], remove: [] },
    ],
    [
      'headers of the response',
      { type: 'ResponseHeaderModifier', responseHeaderModifier: { remove: ['C'] } },
      { kind: 'response-headers', set: [], add: [], remove: ['c'] },
    ],
    [
      'a redirect',
      { type: 'RequestRedirect', requestRedirect: { scheme: 'https' } },
      { kind: 'redirect', scheme: 'https', status: 302 },
    ],
    [
      'a redirect to all that can be said',
      {
        type: 'RequestRedirect',
        requestRedirect: { hostname: 'h', port: 8443, statusCode: 308, path: { type: 'ReplaceFullPath', replaceFullPath: '/x' } },
      },
      { kind: 'redirect', hostname: 'h', path: { type: 'ReplaceFullPath', value: '/x' }, port: 8443, status: 308 },
    ],
    [
      'a rewrite',
      { type: 'URLRewrite', urlRewrite: { path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/' } } },
      { kind: 'rewrite', path: { type: 'ReplacePrefixMatch', value: '/' } },
    ],
    [
      'a mirror of all',
      { type: 'RequestMirror', requestMirror: { backendRef: { name: 'v2', port: 80 } } },
      { kind: 'mirror', backend: v2 as never, percent: 100 },
    ],
    [
      'a mirror of a fraction',
      {
        type: 'RequestMirror',
        requestMirror: { backendRef: { name: 'v2', port: 80 }, fraction: { numerator: 1, denominator: 1000 } },
      },
      { kind: 'mirror', backend: v2 as never, percent: 0.1 },
    ],
  ];
  for (const [title, filter, expected] of filters) {
    it(`carry ${title}`, () => {
      expect(routesOf(http({ ...toV2, filters: [filter] }))[0]?.rules[0]?.filters).to.deep.equal([expected]);
    });
  }

  it('leave a mirror out that leads nowhere', () => {
    const filter = { type: 'RequestMirror', requestMirror: { backendRef: { name: 'gone', port: 80 } } };
    expect(routesOf(http({ ...toV2, filters: [filter] }))[0]?.rules[0]?.filters).to.deep.equal([]);
  });

  const invalid: readonly [string, object, RegExp][] = [
    ['a Service that is not there', { name: 'gone', port: 80 }, /no Service ledger\/gone/],
    ['a port that is not there', { name: 'v2', port: 81 }, /Service ledger\/v2 has no TCP port 81/],
    ['no port', { name: 'v2' }, /names no port/],
    ['another kind', { group: 'acme.example', kind: 'Box', name: 'v2', port: 80 }, /Box of acme\.example is no kind/],
    ['another namespace without that Service', { name: 'v2', namespace: 'bank', port: 80 }, /no Service bank\/v2/],
  ];
  for (const [title, reference, reason] of invalid) {
    it(`keep the share of a backend that names ${title}`, () => {
      const backend = routesOf(http({ backendRefs: [{ ...reference, weight: 3 }] }))[0]?.rules[0]?.backends[0];
      expect(backend).to.deep.include({ kind: 'invalid', weight: 3 });
      expect(backend?.kind === 'invalid' ? backend.reason : '').to.match(reason);
    });
  }

  it('reach services of other namespaces', () => {
    const backend = { name: 'far', namespace: 'bank', port: 80 };
    const text = `${serviceText('far', { namespace: 'bank' })}${http({ backendRefs: [backend] })}`;
    expect(routesOf(text)[0]?.rules[0]?.backends[0]).to.deep.include({
      kind: 'service',
      service: 'bank/far.bank.svc.cluster.local',
    });
  });

  const ports: readonly [string, readonly object[], readonly number[]][] = [
    ['one port', [{ ...parent, port: 80 }], [80]],
    [
      'two ports',
      [
        { ...parent, port: 80 },
        { ...parent, port: 81 },
      ],
      [80, 81],
    ],
    ['every port, once one parent names none', [{ ...parent, port: 80 }, parent], []],
  ];
  for (const [title, parentRefs, expected] of ports) {
    it(`are for ${title}`, () => {
      expect(routesOf(objectText('HTTPRoute', 'r', { parentRefs, rules: [toV2] }))[0]?.ports).to.deep.equal(expected);
    });
  }

  it('come from the namespaces of the service and of its waypoint, and from no other', () => {
    const labels = { 'istio.io/use-waypoint': 'gate', 'istio.io/use-waypoint-namespace': 'ledger' };
    const far = { group: '', kind: 'Service', name: 'far', namespace: 'bank' };
    const route = (namespace: string): string =>
      objectText('HTTPRoute', 'r', { parentRefs: [far], rules: [toV2] }, { namespace });
    const text = `${base}${serviceText('far', { namespace: 'bank', labels })}${['bank', 'ledger', 'branches'].map(route).join('')}`;
    const service = configurationFrom(text, 'ledger/gate').services.find(({ key }) => key.startsWith('bank/'));
    expect(service?.routes.map(({ key }) => key)).to.deep.equal(['HTTPRoute bank/r', 'HTTPRoute ledger/r']);
  });

  it('stand by age, then by name; what has no age was always there', () => {
    const aged = (name: string, creationTimestamp?: string): string =>
      objectText(
        'HTTPRoute',
        name,
        { parentRefs: [parent], rules: [toV2] },
        creationTimestamp === undefined ? {} : { creationTimestamp },
      );
    const text = `${aged('c', '2026-01-01T00:00:00Z')}${aged('b', '2025-01-01T00:00:00Z')}${aged('d')}${aged('a', '2026-01-01T00:00:00Z')}`;
    expect(routesOf(text).map(({ key }) => key.slice(-1))).to.deep.equal(['d', 'b', 'a', 'c']);
  });

  it('do not come from routes whose parent is the waypoint itself', () => {
    expect(routesOf(objectText('HTTPRoute', 'r', { parentRefs: [{ name: 'gate' }], rules: [toV2] }))).to.deep.equal([]);
  });

  const methods: readonly [string, object, object | undefined][] = [
    ['service and method', { service: 'ledger.Ledger', method: 'Get' }, { type: 'Exact', value: '/ledger.Ledger/Get' }],
    ['a service', { service: 'ledger.Ledger' }, { type: 'PathPrefix', value: '/ledger.Ledger' }],
    ['a method', { method: 'Get' }, { type: 'RegularExpression', value: '/[^/]+/Get' }],
    [
      'patterns',
      { type: 'RegularExpression', service: 'a|b', method: 'Get.*' },
      { type: 'RegularExpression', value: '/(?:a|b)/(?:Get.*)' },
    ],
    [
      'a pattern for the service',
      { type: 'RegularExpression', service: 'a|b' },
      { type: 'RegularExpression', value: '/(?:a|b)/[^/]+' },
    ],
  ];
  for (const [title, method, path] of methods) {
    it(`match gRPC by ${title}`, () => {
      expect(routesOf(grpc([{ method }]))[0]?.rules[0]?.matches).to.deep.equal([
        { path, method: 'POST', headers: [], query: [] },
      ]);
    });
  }

  it('match gRPC by headers, and everything without a match', () => {
    const [route] = routesOf(grpc([{ headers: [{ name: 'Tenant', value: 'a' }] }]));
    expect(route?.key).to.equal('GRPCRoute ledger/r');
    expect(route?.rules[0]?.matches).to.deep.equal([
      { method: 'POST', headers: [{ type: 'Exact', name: 'tenant', value: 'a' }], query: [] },
    ]);
    expect(routesOf(grpc([]))[0]?.rules[0]?.matches).to.deep.equal([]);
  });

  it('are for services of waypoints only', () => {
    const text = `${namespaceText('ledger')}${gatewayText('gate')}${serviceText('ledger')}${http(toV2)}`;
    expect(configurationFrom(text, 'ledger/gate').services).to.deep.equal([]);
  });
});
