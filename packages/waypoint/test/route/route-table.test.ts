import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { HttpMatch, HttpRoute } from '@clearmesh/shared/model/l7/route';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { compileRoutes } from '../../src/route/route-table.ts';
import type { RouteDecision, RoutedRequest } from '../../src/route/route-decision.ts';
import { boundService } from '../bound-service.ts';
import { backend, exact, httpMatch, httpRoute, pattern, prefix, routed, routeRule, tableOf } from './routes.ts';

const random = new FakeRandom();

/** Rules named by their place, each with one match. */
function ruled(...matches: readonly Partial<HttpMatch>[]): HttpRoute {
  return httpRoute({ rules: matches.map((match) => routeRule({ matches: [httpMatch(match)] })) });
}

function decide(routes: readonly HttpRoute[], about: Parameters<typeof routed>[0] = {}): RouteDecision {
  return tableOf(routes).route(routed(about), random);
}

/** `route rule`, or why there is none. */
function chosen(routes: readonly HttpRoute[], about: Parameters<typeof routed>[0] = {}): string {
  const decision = decide(routes, about);
  return decision.kind === 'refused' ? decision.failure.kind : `${decision.route} ${decision.rule}`;
}

const header = (name: string, value = '1') => ({ type: 'Exact', name, value }) as const;

describe('RouteTable', () => {
  describe('without a route', () => {
    it('sends on to the service and port that were called', () => {
      expect(decide([], { path: '/entries' })).to.include({
        kind: 'forward',
        route: undefined,
        path: '/entries',
        authority: 'ledger',
        template: '/*',
      });
      expect(decide([]))
        .to.have.property('backend')
        .that.deep.equals({ service: 'bank/ledger.bank.svc.cluster.local', port: 8080 });
    });

    it('does so on ports that no route concerns', () => {
      const routes = [httpRoute({ ports: [8080], rules: [routeRule()] })];
      expect(chosen(routes)).to.equal('HTTPRoute bank/route 0');
      expect(chosen(routes, { port: 9090 })).to.equal('undefined undefined');
    });

    it('lets no port that the service does not list slip past routes for every port', () =>
      expect(chosen([ruled({ path: exact('/a') })], { port: 9999, path: '/b' })).to.equal('no-route'));
  });

  describe('matches', () => {
    const table: readonly {
      of: Partial<HttpMatch>;
      yes: readonly Partial<RoutedRequest>[];
      no: readonly Partial<RoutedRequest>[];
    }[] = [
      { of: { path: exact('/foo') }, yes: [{ path: '/foo' }], no: [{ path: '/foo/' }, { path: '/Foo' }, { path: '/foo/bar' }] },
      {
        of: { path: prefix('/foo') },
        yes: [{ path: '/foo' }, { path: '/foo/' }, { path: '/foo/bar' }],
        no: [{ path: '/foobar' }, { path: '/' }],
      },
      { of: { path: prefix('/foo/') }, yes: [{ path: '/foo' }, { path: '/foo/bar' }], no: [{ path: '/foobar' }] },
      { of: { path: prefix('/') }, yes: [{ path: '/' }, { path: '/a/b' }], no: [] },
      {
        of: { path: pattern('/v[12]/.*') },
        yes: [{ path: '/v1/' }, { path: '/v2/a/b' }],
        no: [{ path: '/v3/a' }, { path: '/a/v1/' }],
      },
      { of: { path: exact('/%61%2b') }, yes: [{ path: '/a%2B' }], no: [{ path: '/%61%2b' }] },
      { of: { method: 'POST' }, yes: [{ method: 'POST' }], no: [{ method: 'GET' }, { method: 'post' }] },
      {
        of: { headers: [header('Version', 'two')] },
        yes: [{ headers: { version: 'two' } }],
        no: [{}, { headers: { version: 'one' } }, { headers: { version: 'Two' } }],
      },
      { of: { headers: [header('a', 'x, y')] }, yes: [{ headers: { a: ['x', 'y'] } }], no: [{ headers: { a: ['x'] } }] },
      { of: { headers: [header('constructor')] }, yes: [{ headers: { constructor: '1' } }], no: [{}] },
      {
        of: { headers: [{ type: 'RegularExpression', name: 'a', value: 'x.*' }] },
        yes: [{ headers: { a: 'xyz' } }],
        no: [{ headers: { a: 'axyz' } }, {}],
      },
      { of: { headers: [header('a', '1'), header('A', '2')] }, yes: [{ headers: { a: '1' } }], no: [{ headers: { a: '2' } }] },
      {
        of: { query: [header('animal', 'whale')] },
        yes: [{ query: 'animal=whale' }, { query: 'a=1&animal=whale' }, { query: 'animal=whale&animal=dolphin' }],
        no: [{}, { query: 'Animal=whale' }, { query: 'animal=whales' }, { query: 'animal=dolphin&animal=whale' }],
      },
      {
        of: { query: [{ type: 'RegularExpression', name: 'a', value: '[0-9]+' }] },
        yes: [{ query: 'a=12' }],
        no: [{ query: 'a=1x' }],
      },
      {
        of: { path: prefix('/a'), method: 'GET', headers: [header('h')], query: [header('q')] },
        yes: [{ path: '/a', headers: { h: '1' }, query: 'q=1' }],
        no: [
          { path: '/b', headers: { h: '1' }, query: 'q=1' },
          { path: '/a', method: 'PUT', headers: { h: '1' }, query: 'q=1' },
          { path: '/a', query: 'q=1' },
          { path: '/a', headers: { h: '1' } },
        ],
      },
    ];
    for (const { of, yes, no } of table) {
      for (const about of yes)
        it(`${JSON.stringify(of)} takes ${JSON.stringify(about)}`, () =>
          expect(chosen([ruled(of)], about)).to.equal('HTTPRoute bank/route 0'));
      for (const about of no)
        it(`${JSON.stringify(of)} does not take ${JSON.stringify(about)}`, () =>
          expect(chosen([ruled(of)], about)).to.equal('no-route'));
    }
  });

  describe('precedence', () => {
    const about = { path: '/a/b', query: 'p=1&q=1', headers: { h: '1', i: '1' } };
    const table: readonly { title: string; better: Partial<HttpMatch>; worse: Partial<HttpMatch> }[] = [
      { title: 'exact before prefix', better: { path: exact('/a/b') }, worse: { path: prefix('/a/b'), method: 'GET' } },
      { title: 'prefix before pattern', better: { path: prefix('/') }, worse: { path: pattern('/a/b'), method: 'GET' } },
      { title: 'pattern before no path', better: { path: pattern('/.*') }, worse: { method: 'GET', headers: [header('h')] } },
      { title: 'the longer prefix', better: { path: prefix('/a/b') }, worse: { path: prefix('/a'), method: 'GET' } },
      { title: 'a method before none', better: { method: 'GET' }, worse: { headers: [header('h'), header('i')] } },
      {
        title: 'more headers',
        better: { headers: [header('h'), header('i')] },
        worse: { headers: [header('h')], query: [header('p'), header('q')] },
      },
      { title: 'more query parameters', better: { query: [header('p'), header('q')] }, worse: { query: [header('p')] } },
      {
        title: 'exact paths by their further conditions',
        better: { path: exact('/a/b'), method: 'GET' },
        worse: { path: exact('/a/b') },
      },
    ];
    for (const { title, better, worse } of table)
      it(`prefers ${title}, wherever it stands`, () => {
        expect(chosen([ruled(worse, better)], about)).to.equal('HTTPRoute bank/route 1');
        expect(chosen([ruled(better, worse)], about)).to.equal('HTTPRoute bank/route 0');
        const younger = { ...ruled(better), key: 'HTTPRoute bank/z', createdAtMs: 2 };
        expect(chosen([{ ...ruled(worse), createdAtMs: 1 }, younger], about)).to.equal('HTTPRoute bank/z 0');
      });

    it('takes a slash at the end of a prefix for nothing', () =>
      expect(chosen([ruled({ path: prefix('/a/') }, { path: prefix('/a'), method: 'GET' })], about)).to.equal(
        'HTTPRoute bank/route 1',
      ));

    it('prefers the older route, then the one whose key comes first, then the first rule', () => {
      const a = { ...ruled({ method: 'GET' }, { method: 'GET' }), key: 'HTTPRoute bank/a' };
      const b = { ...a, key: 'HTTPRoute bank/b' };
      expect(chosen([b, a])).to.equal('HTTPRoute bank/a 0');
      expect(
        chosen([
          { ...a, createdAtMs: 2 },
          { ...b, createdAtMs: 1 },
        ]),
      ).to.equal('HTTPRoute bank/b 0');
      expect(chosen([a, { ...b, createdAtMs: 1 }])).to.equal('HTTPRoute bank/b 0');
    });

    it('puts rules without a match last, whatever route they are of', () => {
      const all = httpRoute({ key: 'HTTPRoute bank/a', createdAtMs: 1, rules: [routeRule()] });
      expect(chosen([all, { ...ruled({ path: pattern('/a.*') }), createdAtMs: 2 }], about)).to.equal('HTTPRoute bank/route 0');
      expect(chosen([all, ruled({ path: exact('/other') })], about)).to.equal('HTTPRoute bank/a 0');
    });

    it('takes any of the matches of a rule', () => {
      const rules = [
        routeRule({ name: 'both', matches: [httpMatch({ path: exact('/x') }), httpMatch({ path: exact('/a/b') })] }),
      ];
      expect(chosen([httpRoute({ rules })], about)).to.equal('HTTPRoute bank/route both');
    });

    it('refuses with 404 where routes exist and none matches, without telling the path', () => {
      const decision = decide([ruled({ path: exact('/x') })], { path: '/accounts/4111111111111111' });
      expect(decision).to.have.nested.property('failure.kind', 'no-route');
      expect(JSON.stringify(decision)).to.not.include('4111');
    });

    it('refuses where the only route has no rule', () => expect(chosen([httpRoute()])).to.equal('no-route'));
  });

  describe('hostnames', () => {
    const named = (...hostnames: string[]) =>
      httpRoute({ key: `HTTPRoute bank/${hostnames[0] ?? 'any'}`, hostnames, rules: [routeRule()] });
    const routes = [named(), named('*.org'), named('*.example.org'), named('www.example.org', 'ledger')];
    for (const [authority, gives] of [
      ['www.example.org', 'www.example.org'],
      ['WWW.Example.org.:8080', 'www.example.org'],
      ['ledger', 'www.example.org'],
      ['a.b.example.org', '*.example.org'],
      ['example.org', '*.org'],
      ['org', 'any'],
      ['[::1]:80', 'any'],
      ['', 'any'],
    ] as const)
      it(`takes ${gives} for ${JSON.stringify(authority)}`, () =>
        expect(chosen(routes, { authority })).to.equal(`HTTPRoute bank/${gives} 0`));

    it('filters: a host that no route names has no route', () =>
      expect(chosen([named('a.org')], { authority: 'b.org' })).to.equal('no-route'));

    it('looks on in wider hosts where the narrower ones do not match', () => {
      const narrow = httpRoute({ hostnames: ['ledger'], rules: [routeRule({ matches: [httpMatch({ path: exact('/x') })] })] });
      expect(chosen([narrow, named()], { path: '/y' })).to.equal('HTTPRoute bank/any 0');
    });
  });

  describe('the template', () => {
    for (const [match, gives] of [
      [{ path: exact('/entries') }, '/entries'],
      [{ path: prefix('/entries') }, '/entries/*'],
      [{ path: prefix('/entries/') }, '/entries/*'],
      [{ path: prefix('/') }, '/*'],
      [{ path: pattern('/entries.*') }, '/entries.*'],
      [{}, '/*'],
    ] as const)
      it(`is ${gives} for ${JSON.stringify(match)}`, () =>
        expect(decide([ruled(match)], { path: '/entries' })).to.have.property('template', gives));
  });

  describe('backends', () => {
    const split = (...weights: readonly number[]) =>
      httpRoute({ rules: [routeRule({ backends: weights.map((weight, index) => backend(`v${index}`, { weight })) })] });
    const target = (route: HttpRoute, unit: number): unknown => {
      const decision = tableOf([route]).route(routed(), new FakeRandom([unit]));
      return decision.kind === 'forward' ? decision.backend.service : decision.kind === 'refused' && decision.failure.kind;
    };

    for (const [weights, unit, gives] of [
      [[1], 0.99, 'bank/v0'],
      [[70, 30], 0, 'bank/v0'],
      [[70, 30], 0.69, 'bank/v0'],
      [[70, 30], 0.7, 'bank/v1'],
      [[70, 30], 0.999, 'bank/v1'],
      [[0, 1], 0, 'bank/v1'],
      [[1, 0], 0.999, 'bank/v0'],
      [[0, 0], 0.5, 'invalid-backend'],
      [[], 0.5, 'invalid-backend'],
    ] as const)
      it(`gives ${gives} at ${unit} of ${JSON.stringify(weights)}`, () =>
        expect(target(split(...weights), unit)).to.equal(gives));

    it('lets an invalid backend take its share of failures', () => {
      const invalid = { kind: 'invalid', weight: 1, reason: 'Service bank/gone does not exist' } as const;
      const route = httpRoute({ rules: [routeRule({ backends: [backend('v0'), invalid] })] });
      expect(target(route, 0.4)).to.equal('bank/v0');
      const decision = tableOf([route]).route(routed(), new FakeRandom([0.6]));
      expect(decision).to.have.nested.property(
        'failure.detail',
        'HTTPRoute bank/route, rule 0: Service bank/gone does not exist',
      );
      expect(decision).to.include({ template: '/*' });
    });

    it('draws nothing where there is nothing to choose', () => {
      const decision = tableOf([split(5)]).route(routed(), { unit: () => expect.fail('drawn') });
      expect(decision).to.have.property('kind', 'forward');
    });

    it('hands on timeouts and retry of the rule', () => {
      const rule = routeRule({ timeouts: { requestMs: 500 }, retry: { attempts: 2, codes: [503] } });
      expect(decide([httpRoute({ rules: [rule] })])).to.deep.include({
        timeouts: { requestMs: 500 },
        retry: { attempts: 2, codes: [503] },
      });
    });
  });

  describe('what cannot be carried out', () => {
    const rejected = (route: HttpRoute): unknown => {
      const compilation = compileRoutes(boundService({ routes: [route] }));
      return compilation.kind === 'rejected' ? compilation.reason : 'compiled';
    };

    const table: readonly (readonly [match: Partial<HttpMatch>, why: RegExp])[] = [
      [{ path: pattern('/(a') }, /HTTPRoute bank\/route, rule 0: pattern "\/\(a" of path has a \( without its \)/],
      [
        { headers: [{ type: 'RegularExpression', name: 'h', value: '\\1' }] },
        /pattern "\\\\1" of "h" has \\1, which is not supported/,
      ],
      [{ query: [{ type: 'RegularExpression', name: 'q', value: '*' }] }, /of "q" has a \* with nothing before it/],
      [{ path: exact('a') }, /path "a" can never match: the request target is no path/],
      [{ path: prefix('/a/../b') }, /can never match: the path has a dot segment/],
      [{ path: exact('/a?b') }, /can never match: it must be a path alone/],
      [{ path: exact('http://ledger/a') }, /can never match: it must be a path alone/],
    ];
    for (const [match, why] of table)
      it(`is said at once: ${JSON.stringify(match)}`, () => expect(rejected(ruled(match))).to.match(why));

    it('is named by service, route and rule, the first five', () => {
      const route = ruled(...Array.from({ length: 7 }, () => ({ path: pattern('[') })));
      expect(rejected(route)).to.match(/^service bank\/ledger\S+: HTTPRoute bank\/route, rule 0: .*rule 4: .*; and 2 more$/);
    });
  });
});
