/** Gateways, routes and RequestAuthentications that are refused. */
import { describe, it } from 'mocha';
import { expect } from 'chai';
import { gatewayText, objectText, serviceTarget } from '../fixtures/manifest-text.ts';
import { problems, refuses } from './refusals.ts';

const targetRefs = [serviceTarget('ledger')];
const parentRefs = [serviceTarget('ledger')];
const rule = (spec: object, kind = 'HTTPRoute'): string => objectText(kind, 'r', { parentRefs, rules: [spec] });
const jwt = (spec: object): string =>
  objectText('RequestAuthentication', 'p', { targetRefs, jwtRules: [{ issuer: 'i', ...spec }] });

describe('a Gateway', () => {
  it('of a waypoint is accepted, and one of another controller too, whatever it holds', () => {
    expect(problems(gatewayText('gate', { className: 'istio-waypoint', allowed: { from: 'All' } }))).to.deep.equal([]);
    const ingress = { gatewayClassName: 'istio', listeners: [{ name: 'web', port: 80, protocol: 'HTTP' }] };
    expect(
      problems(objectText('Gateway', 'g', ingress).replace('clearmesh.io/v1alpha1', 'gateway.networking.k8s.io/v1')),
    ).to.deep.equal([]);
  });

  refuses([
    [
      'a class that reads like one of ours',
      gatewayText('g', { className: 'clearmesh-waypont' }),
      'spec.gatewayClassName "clearmesh-waypont"',
      /no class/,
      /clearmesh-waypoint\?/,
    ],
    [
      'no listener for tunnels',
      gatewayText('g').replace('"HBONE"', '"HTTP"'),
      'spec.listeners',
      /no listener for HBONE/,
      /port: 15008/,
    ],
    ['a listener on another port', gatewayText('g').replace('15008', '15009'), 'spec.listeners', /port 15008/, /15008/],
    [
      'no replicas',
      gatewayText('g', { annotations: { 'clearmesh.io/replicas': '0' } }),
      'metadata.annotations["clearmesh.io/replicas"] "0"',
      /from 1 to 8/,
      /quotes/,
    ],
    [
      'more replicas than eight',
      gatewayText('g', { annotations: { 'clearmesh.io/replicas': '9' } }),
      'metadata.annotations["clearmesh.io/replicas"] "9"',
      /from 1 to 8/,
      /quotes/,
    ],
    [
      'an unknown kind of traffic',
      gatewayText('g', { labels: { 'istio.io/waypoint-for': 'services' } }),
      'metadata.labels["istio.io/waypoint-for"] "services"',
      /must be one of/,
      /service\?/,
    ],
    [
      'a selector that is missing',
      gatewayText('g', { allowed: { from: 'Selector' } }),
      'spec.listeners[0].allowedRoutes.namespaces.selector',
      /missing/,
      /from: All/,
    ],
    [
      'an unknown field of a listener',
      gatewayText('g').replace('"mesh",', '"mesh","allowedRoute":{},'),
      'spec.listeners[0].allowedRoute {}',
      /not a known field/,
      /allowedRoutes\?/,
    ],
  ]);
});

describe('a route', () => {
  it('for other parents is not judged', () => {
    const spec = { parentRefs: [{ name: 'ingress' }], rules: [{ filters: [{ type: 'CORS', cors: {} }] }] };
    expect(problems(objectText('HTTPRoute', 'r', spec))).to.deep.equal([]);
  });

  refuses([
    ['a mistyped field', rule({ matchs: [] }), 'spec.rules[0].matchs []', /not a known field/, /matches\?/],
    [
      'a filter that nobody carries out',
      rule({ filters: [{ type: 'CORS', cors: {} }] }),
      'spec.rules[0].filters[0].type "CORS"',
      /no filter that is supported/,
      /URLRewrite/,
    ],
    [
      'a filter without its part',
      rule({ filters: [{ type: 'URLRewrite' }] }),
      'spec.rules[0].filters[0].urlRewrite',
      /missing/,
      /URLRewrite/,
    ],
    [
      'a redirect of one backend',
      rule({ backendRefs: [{ name: 'a', port: 80, filters: [{ type: 'RequestRedirect', requestRedirect: {} }] }] }),
      'spec.rules[0].backendRefs[0].filters[0].type "RequestRedirect"',
      /no filter/,
      /Write one of/,
    ],
    [
      'a rewrite in a GRPCRoute',
      rule({ filters: [{ type: 'URLRewrite', urlRewrite: {} }] }, 'GRPCRoute'),
      'spec.rules[0].filters[0].type "URLRewrite"',
      /no filter/,
      /RequestMirror/,
    ],
    ['sessions', rule({ sessionPersistence: {} }), 'spec.rules[0].sessionPersistence', /not supported/, /Remove/],
    [
      'a path without slash',
      rule({ matches: [{ path: { type: 'Exact', value: 'pay' } }] }),
      'spec.rules[0].matches[0].path.value "pay"',
      /begin with \//,
      /Write \/pay/,
    ],
    [
      'a pattern that is none',
      rule({ matches: [{ path: { type: 'RegularExpression', value: '/(' } }] }),
      'spec.rules[0].matches[0].path.value "/("',
      /no regular expression/,
      /Mend/,
    ],
    [
      'a pattern without end',
      rule({ matches: [{ headers: [{ type: 'RegularExpression', name: 'a', value: 'x'.repeat(1025) }] }] }),
      `spec.rules[0].matches[0].headers[0].value "${'x'.repeat(116)}…`,
      /longer than 1024/,
      /Mend/,
    ],
    [
      'one header twice',
      rule({
        matches: [
          {
            headers: [
              { name: 'a', value: '1' },
              { name: 'A', value: '2' },
            ],
          },
        ],
      }),
      'spec.rules[0].matches[0].headers[1].name "A"',
      /twice/,
      /Join/,
    ],
    [
      'an unknown method',
      rule({ matches: [{ method: 'get' }] }),
      'spec.rules[0].matches[0].method "get"',
      /must be one of/,
      /GET\?/,
    ],
    [
      'a duration that is none',
      rule({ timeouts: { request: '10' } }),
      'spec.rules[0].timeouts.request "10"',
      /must be a duration/,
      /250ms/,
    ],
    [
      'an attempt longer than the request',
      rule({ timeouts: { request: '1s', backendRequest: '2s' } }),
      'spec.rules[0].timeouts.backendRequest "2s"',
      /longer/,
      /at most 1s/,
    ],
    [
      'a prefix replaced where none was matched',
      rule({
        matches: [{ path: { type: 'Exact', value: '/a' } }],
        filters: [{ type: 'URLRewrite', urlRewrite: { path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/' } } }],
      }),
      'spec.rules[0].filters[0].urlRewrite.path.type "ReplacePrefixMatch"',
      /PathPrefix/,
      /ReplaceFullPath/,
    ],
    [
      'a path to replace by nothing',
      rule({ filters: [{ type: 'URLRewrite', urlRewrite: { path: { type: 'ReplaceFullPath' } } }] }),
      'spec.rules[0].filters[0].urlRewrite.path.replaceFullPath',
      /missing/,
      /ReplaceFullPath/,
    ],
    [
      'a mirror with two shares',
      rule({
        filters: [
          {
            type: 'RequestMirror',
            requestMirror: { backendRef: { name: 'a', port: 80 }, percent: 1, fraction: { numerator: 1 } },
          },
        ],
      }),
      'spec.rules[0].filters[0].requestMirror.fraction',
      /contradicts percent/,
      /one of the two/,
    ],
    [
      'a mirror of more than all',
      rule({
        filters: [
          { type: 'RequestMirror', requestMirror: { backendRef: { name: 'a', port: 80 }, fraction: { numerator: 101 } } },
        ],
      }),
      'spec.rules[0].filters[0].requestMirror.fraction.numerator 101',
      /denominator/,
      /at most 100/,
    ],
    [
      'a port beyond 65535',
      rule({ backendRefs: [{ name: 'a', port: 70_000 }] }),
      'spec.rules[0].backendRefs[0].port 70000',
      /65535/,
      /65535/,
    ],
    [
      'a gRPC match of nothing',
      rule({ matches: [{ method: {} }] }, 'GRPCRoute'),
      'spec.rules[0].matches[0].method {}'.slice(0, -3),
      /empty/,
      /Name a service/,
    ],
    [
      'a gRPC pattern that is too long as a whole',
      rule(
        { matches: [{ method: { type: 'RegularExpression', service: 'x'.repeat(600), method: 'y'.repeat(600) } }] },
        'GRPCRoute',
      ),
      `spec.rules[0].matches[0].method "/(?:${'x'.repeat(112)}…`,
      /longer than 1024/,
      /Mend/,
    ],
    [
      'a gRPC pattern that is none',
      rule({ matches: [{ method: { type: 'RegularExpression', method: '(' } }] }, 'GRPCRoute'),
      'spec.rules[0].matches[0].method.method "("',
      /no regular expression/,
      /Mend/,
    ],
    [
      'a gRPC service with a slash',
      rule({ matches: [{ method: { service: '/a.B' } }] }, 'GRPCRoute'),
      'spec.rules[0].matches[0].method.service "/a.B"',
      /no name of a gRPC service/,
      /without slashes/,
    ],
  ]);
});

describe('a RequestAuthentication', () => {
  refuses([
    [
      'no target',
      objectText('RequestAuthentication', 'p', { selector: { matchLabels: { app: 'a' } } }),
      'spec.selector',
      /reaches no waypoint/,
      /targetRefs/,
    ],
    ['no keys', jwt({}), 'spec.jwtRules[0].jwksUri', /missing/, /jwks/],
    [
      'keys in two places',
      jwt({ jwks: '{"keys":[{}]}', jwksUri: 'https://a' }),
      'spec.jwtRules[0].jwksUri',
      /contradicts/,
      /one of the two/,
    ],
    ['keys at no URL', jwt({ jwksUri: 'file:///keys' }), 'spec.jwtRules[0].jwksUri "file:///keys"', /http or https/, /https:/],
    ['keys that are none', jwt({ jwks: '{}' }), 'spec.jwtRules[0].jwks', /Key Set/, /keys/],
    [
      'a mistyped field',
      jwt({ jwksURI: 'https://a', jwks: '{"keys":[{}]}' }),
      'spec.jwtRules[0].jwksURI "https://a"',
      /not a known field/,
      /jwksUri\?/,
    ],
  ]);
});
