import { expect } from 'chai';
import { describe, it } from 'mocha';
import { unreadWaypoint } from '@clearmesh/control-plane/manifest/banking-domain';
import { meshView } from '../../src/mesh/mesh-view.ts';
import { explain } from '../../src/why/explain.ts';
import { parseFrom, parseTo } from '../../src/why/question.ts';
import { authorization, bank, object, viewOf, waypoint } from '../mesh/bank.ts';
import { itAnswers } from './asking.ts';
import type { Case } from './asking.ts';

const callers = { from: [{ source: { principals: ['cluster.local/ns/payments/sa/payments'] } }] };
const denyPayments = authorization('never', { action: 'DENY', rules: [{ from: [{ source: { namespaces: ['payments'] } }] }] });
const books = { targetRefs: [{ group: '', kind: 'Service', name: 'books' }] };
const gets = authorization('gets', {
  ...books,
  action: 'ALLOW',
  rules: [{ ...callers, to: [{ operation: { methods: ['GET'], paths: ['/entries*'] } }] }],
});
const strangers = authorization('strangers', {
  ...books,
  action: 'ALLOW',
  rules: [{ from: [{ source: { namespaces: ['treasury'] } }] }],
});
const headers = authorization('headers', {
  ...books,
  action: 'DENY',
  rules: [{ when: [{ key: 'request.headers[x-test]', values: ['*'] }] }],
});
const code = object(
  'clearmesh.io/v1alpha1',
  'OpaPolicy',
  { name: 'code', namespace: 'ledger' },
  { ...books, engine: { server: { url: 'http://127.0.0.1:8181' } } },
);

const payments = 'payments/payments-0';
const cases: readonly Case[] = [
  [
    'refuses the way around a waypoint',
    [waypoint],
    [payments, 'ledger/pod/ledger-0'],
    'REFUSED',
    /from its waypoint only: service ledger\/books/,
    /Call Service ledger\/books/,
  ],
  [
    'refuses where the waypoint that is named does not exist',
    [
      object(
        'v1',
        'Service',
        { name: 'lost', namespace: 'ledger', labels: { 'istio.io/use-waypoint': 'nowhere' } },
        { clusterIP: '10.96.0.40', selector: { app: 'ledger' }, ports: [{ port: 80, targetPort: 8080 }] },
      ),
    ],
    [payments, 'ledger/lost'],
    'REFUSED',
    /waypoint ledger\/nowhere.* is not available/,
    /clearmesh waypoint apply -n ledger --name nowhere/,
  ],
  [
    'allows through a waypoint without policies',
    [waypoint],
    [payments, 'ledger/books'],
    'ALLOWED',
    /no policy at waypoint ledger\/gate/,
  ],
  [
    'depends on the request where a waypoint looks at it',
    [waypoint, gets],
    [payments, 'ledger/books'],
    'DEPENDS',
    /AuthorizationPolicy ledger\/gets/,
    /--method and --path/,
  ],
  [
    'still depends on the path where only the method is given',
    [waypoint, gets],
    [payments, 'ledger/books', { method: 'GET' }],
    'DEPENDS',
    /gets/,
    /Say which request is meant: --path/,
  ],
  [
    'allows the request that a rule names',
    [waypoint, gets],
    [payments, 'ledger/books', { method: 'GET', path: '/entries/1' }],
    'ALLOWED',
    /rule 0 of AuthorizationPolicy ledger\/gets \(ALLOW\)/,
  ],
  [
    'refuses a request that no rule names',
    [waypoint, gets],
    [payments, 'ledger/books', { method: 'POST' }],
    'REFUSED',
    /none of them matches .* with POST/,
    /methods: \[POST\]/,
  ],
  [
    'refuses who is not named, whatever is asked',
    [waypoint, strangers],
    [payments, 'ledger/books'],
    'REFUSED',
    /none of them matches/,
  ],
  [
    'depends on headers, which nobody can give',
    [waypoint, headers],
    [payments, 'ledger/books', { method: 'GET', path: '/' }],
    'DEPENDS',
    /headers/,
  ],
  ['depends on rules as code', [waypoint, code], [payments, 'ledger/books'], 'DEPENDS', /OpaPolicy ledger\/code decides/],
  [
    'asks the policies of the pod too, on behalf of the caller',
    [waypoint, denyPayments],
    [payments, 'ledger/books'],
    'REFUSED',
    /ledger\/never \(DENY\)/,
  ],
  [
    'refuses a request that no route matches',
    [
      waypoint,
      object(
        'gateway.networking.k8s.io/v1',
        'HTTPRoute',
        { name: 'r', namespace: 'ledger' },
        {
          parentRefs: [{ group: '', kind: 'Service', name: 'books' }],
          rules: [{ matches: [{ path: { type: 'Exact', value: '/a' } }], backendRefs: [{ name: 'ledger', port: 80 }] }],
        },
      ),
    ],
    [payments, 'ledger/books', { method: 'GET', path: '/b' }],
    'REFUSED',
    /no rule of the routes/,
    /HTTPRoute ledger\/r/,
  ],
];

describe('explain, by way of a waypoint', () => {
  itAnswers(cases);

  it('refuses in the name of a RequestAuthentication whose tokens nobody knows', () => {
    const read = viewOf([bank, waypoint]);
    const metadata = { name: 'login', namespace: 'ledger' };
    const requestAuthentications = [{ metadata, spec: books, standIn: 'attached', unread: 'all' }] as const;
    const view = meshView({ ...read, collections: { ...read.collections, requestAuthentications } }, read.nowMs);
    const told = explain(view, { from: parseFrom(payments), to: parseTo('ledger/books'), asked: {} });
    expect([told.verdict, told.because]).to.deep.equal([
      'REFUSED',
      'waypoint ledger/gate refuses in the name of RequestAuthentication ledger/login: it cannot be read, so that nobody knows its tokens',
    ]);
  });

  it('refuses both ways into a BankingDomain whose waypoint cannot be read', () => {
    const read = viewOf([bank]);
    const spec = { namespaces: ['ledger'], waypoint: { name: unreadWaypoint('books'), namespace: 'clearmesh-system' } };
    const bankingDomains = [{ metadata: { name: 'books' }, spec, standIn: 'attached' }] as const;
    const view = meshView({ ...read, collections: { ...read.collections, bankingDomains } }, read.nowMs);
    const told = (to: string): readonly unknown[] => {
      const { verdict, because, changes } = explain(view, { from: parseFrom(payments), to: parseTo(to), asked: {} });
      return [verdict, /unreadable_waypoint_of_books/.test(because), changes];
    };
    const mend = ['Mend BankingDomain books: its status names field, value and remedy.'];
    expect(told('ledger/ledger')).to.deep.equal(['REFUSED', true, mend]);
    expect(told('ledger/pod/ledger-0').slice(0, 2)).to.deep.equal(['REFUSED', true]);
  });

  it('refuses in the name of an OpaPolicy that cannot be read', () => {
    const read = viewOf([bank, waypoint, code]);
    const opaPolicies = read.collections.opaPolicies.map((policy) => ({ ...policy, standIn: 'attached' as const }));
    const view = meshView({ ...read, collections: { ...read.collections, opaPolicies } }, read.nowMs);
    const told = explain(view, { from: parseFrom(payments), to: parseTo('ledger/books'), asked: {} });
    expect([told.verdict, told.because, told.changes]).to.deep.equal([
      'REFUSED',
      'waypoint ledger/gate refuses in the name of OpaPolicy ledger/code: it cannot be read, and no good version of it is known; its status says what is wrong',
      ['Mend OpaPolicy ledger/code: its status names field, value and remedy.'],
    ]);
  });
});
