import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import type { HeaderChanges, HttpRoute, PathChange, RouteFilter, RouteRule } from '@clearmesh/shared/model/l7/route';
import { serviceKey } from '@clearmesh/shared/model/names';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { changeHeaders } from '../../src/route/header-changes.ts';
import type { ChangeableHeaders } from '../../src/route/header-changes.ts';
import { compileMatch } from '../../src/route/match.ts';
import { normalisePath } from '@clearmesh/shared/route/normalise-path';
import { changePath, compilePathChange } from '../../src/route/path-change.ts';
import { compileRoutes } from '../../src/route/route-table.ts';
import type { RouteDecision } from '../../src/route/route-decision.ts';
import { boundService } from '../bound-service.ts';
import { backend, exact, httpMatch, httpRoute, prefix, routed, routeRule, tableOf } from './routes.ts';

const noChange: HeaderChanges = { set: [], add: [], remove: [] };

function filtered(filters: readonly RouteFilter[], rule: Partial<RouteRule> = {}): HttpRoute {
  return httpRoute({ rules: [routeRule({ filters, ...rule })] });
}

function decide(route: HttpRoute, about: Parameters<typeof routed>[0] = {}, units: readonly number[] = [0.5]): RouteDecision {
  return tableOf([route]).route(routed(about), new FakeRandom(units));
}

function rejection(filters: readonly RouteFilter[], rule: Partial<RouteRule> = {}): string {
  const compilation = compileRoutes(boundService({ routes: [filtered(filters, rule)] }));
  return compilation.kind === 'rejected' ? compilation.reason : 'compiled';
}

describe('route filters', () => {
  describe('rewritten paths', () => {
    const table: readonly (readonly [path: string, matched: string, replacement: string, gives: string])[] = [
      // Gateway API, HTTPPathModifier.
      ['/foo/bar', '/foo', '/xyz', '/xyz/bar'],
      ['/foo/bar', '/foo', '/xyz/', '/xyz/bar'],
      ['/foo/bar', '/foo/', '/xyz', '/xyz/bar'],
      ['/foo/bar', '/foo/', '/xyz/', '/xyz/bar'],
      ['/foo', '/foo', '/xyz', '/xyz'],
      ['/foo/', '/foo', '/xyz', '/xyz/'],
      ['/foo/bar', '/foo', '', '/bar'],
      ['/foo/', '/foo', '', '/'],
      ['/foo', '/foo', '', '/'],
      ['/foo/', '/foo', '/', '/'],
      ['/foo', '/foo', '/', '/'],
      ['/foo', '/foo/', '/', '/'],
      ['/foo/bar/', '/foo/bar', '/a/b', '/a/b/'],
      ['/foo', '/', '/xyz', '/xyz/foo'],
      ['/foo', '/', '/', '/foo'],
      ['/foo', '/foo', 'xyz', '/xyz'],
    ];
    for (const [path, matched, value, gives] of table)
      it(`${path} with ${matched} replaced by ${JSON.stringify(value)} is ${gives}`, () => {
        const route = filtered([{ kind: 'rewrite', path: { type: 'ReplacePrefixMatch', value } }], {
          matches: [httpMatch({ path: prefix(matched) })],
        });
        expect(decide(route, { path, query: 'q=1' })).to.have.property('path', gives);
      });

    it('are whole where the whole path is replaced', () => {
      const route = filtered([{ kind: 'rewrite', path: { type: 'ReplaceFullPath', value: '/one' }, hostname: 'One.example' }]);
      expect(decide(route, { path: '/foo/bar', authority: 'ledger:8080' })).to.include({
        path: '/one',
        authority: 'one.example',
      });
    });

    it('replace the first slash where the rule has no match', () => {
      const route = filtered([{ kind: 'rewrite', path: { type: 'ReplacePrefixMatch', value: '/v2' } }]);
      expect(decide(route, { path: '/a' })).to.have.property('path', '/v2/a');
    });

    it('are paths that would be let in', () => {
      const segment = fc.string({ unit: fc.constantFrom('a', '.', '%41', '-'), minLength: 1, maxLength: 4 });
      const path = fc.array(segment, { maxLength: 4 }).map((segments) => `/${segments.join('/')}`);
      const type = fc.constantFrom<PathChange['type']>('ReplaceFullPath', 'ReplacePrefixMatch');
      fc.assert(
        fc.property(path, path, path, fc.boolean(), type, (matched, rest, value, slash, type) => {
          const from = normalisePath(matched);
          const request = normalisePath(`${matched === '/' ? '' : matched}${rest}${slash && rest !== '/' ? '/' : ''}`);
          const to = normalisePath(value);
          fc.pre(from.kind === 'path' && request.kind === 'path' && to.kind === 'path');
          const ignore = (problem: string): void => expect.fail(problem);
          const { path: compiled } = compileMatch(httpMatch({ path: prefix(matched) }), ignore);
          const changed = changePath(
            compilePathChange({ type, value }, true, ignore),
            (request as { path: string }).path,
            compiled,
          );
          expect(normalisePath(changed)).to.deep.equal({ kind: 'path', path: changed, query: '' });
        }),
      );
    });
  });

  describe('redirects', () => {
    type To = Omit<Extract<RouteFilter, { kind: 'redirect' }>, 'kind' | 'status'>;
    const table: readonly { to: To; about?: Parameters<typeof routed>[0]; gives: string }[] = [
      { to: { hostname: 'example.org' }, about: { port: 80 }, gives: 'http://example.org/foo' },
      { to: { hostname: 'example.org' }, gives: 'http://example.org:8080/foo' },
      { to: { scheme: 'https' }, gives: 'https://ledger/foo' },
      { to: { scheme: 'http' }, gives: 'http://ledger/foo' },
      { to: { scheme: 'https', port: 8443 }, gives: 'https://ledger:8443/foo' },
      { to: { scheme: 'https', port: 443 }, gives: 'https://ledger/foo' },
      { to: { scheme: 'https', port: 80 }, gives: 'https://ledger:80/foo' },
      { to: { port: 80 }, gives: 'http://ledger/foo' },
      { to: { port: 8083 }, gives: 'http://ledger:8083/foo' },
      { to: {}, about: { authority: 'Ledger:9999' }, gives: 'http://ledger:8080/foo' },
      { to: {}, about: { authority: '[fd00::1]:9999' }, gives: 'http://[fd00::1]:8080/foo' },
      { to: { port: 80 }, about: { query: 'a=1&b=2' }, gives: 'http://ledger/foo?a=1&b=2' },
      {
        to: { port: 80, path: { type: 'ReplaceFullPath', value: '/all' } },
        about: { query: 'a=1' },
        gives: 'http://ledger/all?a=1',
      },
      {
        to: { port: 80, path: { type: 'ReplacePrefixMatch', value: '/bar' } },
        about: { path: '/foo/x' },
        gives: 'http://ledger/bar/x',
      },
      { to: { port: 80 }, about: { authority: 'evil.org/a?' }, gives: 'http://ledger.bank.svc.cluster.local/foo' },
      { to: { port: 80 }, about: { authority: 'a@evil.org' }, gives: 'http://ledger.bank.svc.cluster.local/foo' },
      { to: { port: 80 }, about: { authority: 'a\r\nx: y' }, gives: 'http://ledger.bank.svc.cluster.local/foo' },
      { to: { port: 80 }, about: { authority: '' }, gives: 'http://ledger.bank.svc.cluster.local/foo' },
    ];
    for (const { to, about, gives } of table)
      it(`${JSON.stringify(to)} sends ${JSON.stringify(about ?? {})} to ${gives}`, () => {
        const route = filtered([{ kind: 'redirect', status: 302, ...to }], {
          matches: [httpMatch({ path: prefix('/foo') })],
          backends: [],
        });
        const decision = decide(route, { path: '/foo', ...about });
        expect(decision)
          .to.have.property('answer')
          .that.deep.equals({ status: 302, headers: { location: gives }, body: '' });
        expect(decision).to.include({ kind: 'redirect', template: '/foo/*', rule: '0' });
      });

    it('keep their status, and take changes to the answer', () => {
      const changes = { kind: 'response-headers', ...noChange, set: [['X-A', '1']] } as const;
      const decision = decide(filtered([changes, { kind: 'redirect', status: 308, port: 80 }]));
      expect(decision).to.have.nested.property('answer.status', 308);
      expect(decision).to.have.deep.nested.property('answer.headers', { 'x-a': '1', location: 'http://ledger/' });
    });
  });

  describe('header changes', () => {
    const apply = (change: Partial<HeaderChanges>, headers: ChangeableHeaders): ChangeableHeaders => {
      const decision = decide(filtered([{ kind: 'request-headers', ...noChange, ...change }]));
      if (decision.kind === 'forward') changeHeaders(headers, decision.requestHeaders);
      return headers;
    };

    it('set, whatever the case', () =>
      expect(apply({ set: [['X-A', '2']] }, { 'x-a': ['0', '1'] })).to.deep.equal({ 'x-a': '2' }));
    it('add a field beside those that are there', () => {
      expect(apply({ add: [['X-A', '2']] }, { 'x-a': '1' })).to.deep.equal({ 'x-a': ['1', '2'] });
      expect(apply({ add: [['X-A', '2']] }, { 'x-a': ['0', '1'] })).to.deep.equal({ 'x-a': ['0', '1', '2'] });
      expect(apply({ add: [['X-A', '2']] }, {})).to.deep.equal({ 'x-a': '2' });
      expect(apply({ add: [['constructor', '2']] }, {})).to.deep.equal({ constructor: '2' });
    });
    it('remove', () => expect(apply({ remove: ['X-A', 'x-b'] }, { 'x-a': '1', 'x-c': '1' })).to.deep.equal({ 'x-c': '1' }));

    it('of the backend come after those of the rule', () => {
      const set = (value: string): RouteFilter => ({ kind: 'request-headers', ...noChange, set: [['x-a', value]] });
      const own = { ...backend('v1'), filters: [set('backend')] } as ReturnType<typeof backend>;
      const decision = decide(filtered([set('rule')], { backends: [own] }));
      const headers: ChangeableHeaders = {};
      if (decision.kind === 'forward') changeHeaders(headers, decision.requestHeaders);
      expect(headers).to.deep.equal({ 'x-a': 'backend' });
    });

    it('of one backend do not touch the others', () => {
      const own = { ...backend('v1'), filters: [{ kind: 'response-headers', ...noChange, set: [['x-a', '1']] }] } as ReturnType<
        typeof backend
      >;
      const route = filtered([], { backends: [own, backend('v2')] });
      expect(decide(route, {}, [0.9])).to.have.property('responseHeaders').that.is.empty;
      expect(decide(route, {}, [0.1]))
        .to.have.property('responseHeaders')
        .with.lengthOf(1);
    });

    for (const name of [
      'Connection',
      'TE',
      'transfer-encoding',
      'Content-Length',
      'host',
      ':path',
      'x-mesh-outcome',
      'X-Clearmesh-A',
      'a b',
      '',
      '__proto__',
    ])
      for (const change of [{ set: [[name, '1']] }, { add: [[name, '1']] }, { remove: [name] }] as const)
        it(`do not ${Object.keys(change)[0]} ${JSON.stringify(name)}`, () =>
          expect(rejection([{ kind: 'request-headers', ...noChange, ...change }])).to.match(/rule 0: header "/));

    for (const value of ['a\r\nb: c', 'a\0', 'caf\u00e9', ' a', 'a '])
      it(`do not give ${JSON.stringify(value)}`, () =>
        expect(rejection([{ kind: 'response-headers', ...noChange, set: [['x-a', value]] }])).to.include(
          'characters that a field may not have',
        ));

    it('give empty values, and spaces within', () =>
      expect(
        apply(
          {
            set: [
              ['x-a', ''],
              ['x-b', 'a\tb c'],
            ],
          },
          {},
        ),
      ).to.deep.equal({ 'x-a': '', 'x-b': 'a\tb c' }));
  });

  describe('mirrors', () => {
    const mirror = (name: string, percent: number): RouteFilter => ({
      kind: 'mirror',
      backend: { service: serviceKey('bank', name), port: 80 },
      percent,
    });
    const mirrored = (filters: readonly RouteFilter[], method: string, units: readonly number[]): unknown => {
      const decision = decide(filtered(filters), { method }, units);
      return decision.kind === 'forward' ? decision.mirrors.map(({ service }) => service) : decision.kind;
    };

    it('are drawn each for itself', () => {
      const both = [mirror('a', 50), mirror('b', 50)];
      expect(mirrored(both, 'GET', [0.49, 0.5])).to.deep.equal(['bank/a']);
      expect(mirrored(both, 'GET', [0.5, 0.49])).to.deep.equal(['bank/b']);
      expect(mirrored(both, 'GET', [0.1, 0.1])).to.deep.equal(['bank/a', 'bank/b']);
    });
    it('at 100 % always, at 0 % never', () =>
      expect(mirrored([mirror('a', 100), mirror('b', 0)], 'GET', [0])).to.deep.equal(['bank/a']));
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'CONNECT', 'get'])
      it(`get no ${method}`, () => expect(mirrored([mirror('a', 100)], method, [0])).to.deep.equal([]));
  });

  describe('what cannot be carried out', () => {
    const change = (path: PathChange): RouteFilter => ({ kind: 'rewrite', path });
    for (const [filter, rule, why] of [
      [
        change({ type: 'ReplacePrefixMatch', value: '/a' }),
        { matches: [httpMatch({ path: exact('/b') })] },
        /needs matches by PathPrefix/,
      ],
      [change({ type: 'ReplaceFullPath', value: '/a?b=1' }), {}, /a query cannot be replaced/],
      [change({ type: 'ReplaceFullPath', value: '/a/../b' }), {}, /dot segment/],
      [change({ type: 'ReplacePrefixMatch', value: '/a b' }), {}, /U\+0020/],
      [{ kind: 'rewrite', hostname: 'a/b' }, {}, /rewrite to hostname "a\/b", which is none/],
      [{ kind: 'redirect', status: 302, hostname: 'a b' }, {}, /redirect to hostname "a b", which is none/],
    ] as const)
      it(`is said at once: ${JSON.stringify(filter)}`, () => expect(rejection([filter], rule)).to.match(why));

    it('is said once, not once for each backend', () => {
      const twice = { backends: [backend('a'), backend('b')] };
      expect(rejection([change({ type: 'ReplaceFullPath', value: '/a?b' })], twice).match(/replaced/g)).to.have.lengthOf(1);
    });
  });
});
