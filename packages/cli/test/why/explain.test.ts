import { expect } from 'chai';
import { describe, it } from 'mocha';
import { meshView } from '../../src/mesh/mesh-view.ts';
import { explain } from '../../src/why/explain.ts';
import { parseFrom, parseTo } from '../../src/why/question.ts';
import { authorization, bank, object, viewOf } from '../mesh/bank.ts';
import { ask, itAnswers } from './asking.ts';
import type { Case } from './asking.ts';

const callers = { from: [{ source: { principals: ['cluster.local/ns/payments/sa/payments'] } }] };
const security = 'security.istio.io/v1';
const allowPayments = authorization('allow-payments', {
  action: 'ALLOW',
  rules: [{ from: [{ source: { namespaces: ['treasury'] } }] }, callers],
});
const denyPayments = authorization('never', { action: 'DENY', rules: [{ from: [{ source: { namespaces: ['payments'] } }] }] });
const permissive = (until: string): string =>
  object(
    security,
    'PeerAuthentication',
    { name: 'open', namespace: 'ledger', annotations: { 'clearmesh.io/permissive-until': until } },
    { mtls: { mode: 'PERMISSIVE' } },
  );

const payments = 'payments/payments-0';
const cases: readonly Case[] = [
  [
    'allows who proves an identity where no policy applies',
    [],
    [payments, 'ledger/ledger'],
    'ALLOWED',
    /no ALLOW policy applies.*whoever proves/,
  ],
  [
    'names the rule as it is written, though the proxies count otherwise',
    [allowPayments],
    [payments, 'ledger/ledger:80'],
    'ALLOWED',
    /rule 1 of AuthorizationPolicy ledger\/allow-payments \(ALLOW\)/,
  ],
  [
    'names the DENY policy that decides over every ALLOW',
    [allowPayments, denyPayments],
    [payments, 'ledger/ledger'],
    'REFUSED',
    /rule 0 of AuthorizationPolicy ledger\/never \(DENY\)/,
    /narrow rule 0/,
  ],
  [
    'offers the rule that is missing',
    [allowPayments],
    ['ledger/ledger-0', 'ledger/pod/ledger-1'],
    'REFUSED',
    /none of them matches spiffe:\/\/cluster\.local\/ns\/ledger\/sa\/ledger/,
    /principals: \["cluster\.local\/ns\/ledger\/sa\/ledger"\].*ports: \["8080"\]/,
  ],
  [
    'refuses plaintext under STRICT, and says how to come into the mesh',
    [],
    ['branch/desk-0', 'ledger/ledger'],
    'REFUSED',
    /takes no plaintext at port 8080: mTLS is STRICT by the default/,
    /label namespace branch/,
  ],
  [
    'lets plaintext in while PERMISSIVE has not run out',
    [permissive('2026-04-01')],
    ['branch/desk-0', 'ledger/ledger'],
    'ALLOWED',
    /anybody may call/,
  ],
  [
    'refuses it again once PERMISSIVE has run out',
    [permissive('2026-02-01')],
    ['branch/desk-0', 'ledger/ledger'],
    'REFUSED',
    /STRICT by PeerAuthentication ledger\/open/,
  ],
  [
    'says that nothing guards a destination outside of the mesh',
    [],
    [payments, 'branch/desk-0'],
    'ALLOWED',
    /branch\/desk-0 is not in the mesh.*no policy is enforced/,
    /label namespace branch/,
  ],
  [
    'says that an unknown address is outside',
    [],
    [payments, '203.0.113.9:443'],
    'ALLOWED',
    /203\.0\.113\.9:443 is outside of the mesh/,
  ],
  [
    'refuses a port that the Service does not have',
    [],
    [payments, 'ledger/ledger:81'],
    'REFUSED',
    /has no port 81; its ports are 80/,
  ],
  [
    'answers for a service account that nothing runs as',
    [allowPayments],
    ['treasury/sa:clerk', 'ledger/ledger'],
    'ALLOWED',
    /rule 0 of AuthorizationPolicy ledger\/allow-payments/,
  ],
];

describe('explain', () => {
  itAnswers(cases);

  it('says of a Service without selector that the mesh does not know where it leads', () => {
    const spec = { clusterIP: '10.96.0.99', ports: [{ port: 443 }] };
    const server = object('v1', 'Service', { name: 'kubernetes', namespace: 'default' }, spec);
    const [inside, outside] = [payments, 'branch/desk-0'].map((from) => ask([server], from, 'default/kubernetes'));
    expect([inside?.verdict, inside?.changes[0]?.startsWith('The Service has no selector')]).to.deep.equal(['REFUSED', true]);
    expect([outside?.verdict, /is outside of the mesh/.test(outside?.because ?? '')]).to.deep.equal(['ALLOWED', true]);
  });

  it('puts pods that fare alike together', () => {
    const [group, ...others] = ask([], payments, 'ledger/ledger').groups;
    expect([group?.callees, others]).to.deep.equal([['ledger/ledger-0', 'ledger/ledger-1'], []]);
  });

  it('depends on the pod where policies select one of two', () => {
    const one = object(
      'v1',
      'Pod',
      { name: 'ledger-2', namespace: 'ledger', labels: { app: 'ledger', closed: 'yes' } },
      { serviceAccountName: 'ledger' },
    );
    const closed = authorization('closed', { selector: { matchLabels: { closed: 'yes' } }, action: 'ALLOW' });
    const { verdict, groups } = ask([one, closed], payments, 'ledger/ledger');
    expect([verdict, groups.map(({ connection, callees }) => [connection.verdict, callees])]).to.deep.equal([
      'DEPENDS',
      [
        ['ALLOWED', ['ledger/ledger-0', 'ledger/ledger-1']],
        ['REFUSED', ['ledger/ledger-2']],
      ],
    ]);
  });

  it('says what would be in the mesh where the mesh sees nothing', () => {
    const never = authorization(
      'never',
      { action: 'DENY', rules: [{ from: [{ source: { namespaces: ['payments'] } }] }] },
      'branch',
    );
    const { verdict, inMesh } = ask([never], payments, 'branch/desk-0');
    expect([verdict, inMesh?.verdict, inMesh?.because]).to.deep.equal([
      'ALLOWED',
      'REFUSED',
      'rule 0 of AuthorizationPolicy branch/never (DENY) matches',
    ]);
  });

  it('shows a dry-run policy, which decides nothing', () => {
    const dry = JSON.parse(denyPayments) as { metadata: object };
    const trial = JSON.stringify({ ...dry, metadata: { ...dry.metadata, annotations: { 'istio.io/dry-run': 'true' } } });
    const { verdict, groups } = ask([trial], payments, 'ledger/ledger');
    const found = groups[0]?.connection.policies.find(({ object: name }) => name === 'AuthorizationPolicy ledger/never');
    expect([verdict, found?.outcome, found?.dryRun, found?.decides]).to.deep.equal(['ALLOWED', 'matches', true, false]);
  });

  it('refuses traffic of a pod that ztunnel has not taken yet', () => {
    const view = viewOf([bank]);
    const pods = view.collections.pods.map((pod) => ({
      ...pod,
      metadata: { ...pod.metadata, annotations: { 'ambient.istio.io/redirection': 'pending' } },
    }));
    const pending = meshView({ ...view, collections: { ...view.collections, pods } }, view.nowMs);
    const { verdict, because } = explain(pending, { from: parseFrom(payments), to: parseTo('ledger/ledger'), asked: {} });
    expect([verdict, because]).to.deep.equal([
      'REFUSED',
      'payments/payments-0 is on its way into the mesh: its rules are there, and ztunnel has not taken it yet, so that its traffic is refused',
    ]);
  });

  it('tells of objects that are not in force around both ends, and of no others', () => {
    const problem = {
      code: 'MESH-CONFIG-001',
      file: '',
      line: 0,
      column: 0,
      field: 'spec.action',
      value: '',
      message: 'is no action',
      remedy: '',
    } as const;
    const problems = ['AuthorizationPolicy ledger/broken', 'AuthorizationPolicy elsewhere/broken'].map((each) => ({
      ...problem,
      object: each,
    }));
    const { remarks } = explain(
      { ...viewOf([bank]), problems },
      { from: parseFrom(payments), to: parseTo('ledger/ledger'), asked: {} },
    );
    expect(remarks).to.deep.equal(['AuthorizationPolicy ledger/broken is not in force as written: spec.action is no action']);
  });

  for (const [from, to, message] of [
    ['payments/nobody', 'ledger/ledger', /no pod payments\/nobody.*/],
    [payments, 'ledger/nothing:80', /no Service or pod ledger\/nothing/],
    [payments, '10.0.0.1', /10\.0\.0\.1 needs a port/],
    [payments, 'ledger/deploy/ledger:80', /no deployment ledger\/ledger/],
  ] as const) {
    it(`cannot be asked about ${from} and ${to}`, () => expect(() => ask([], from, to)).to.throw(message));
  }
});
