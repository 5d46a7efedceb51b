import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { Authorization, Match } from '@clearmesh/shared/model/authorization';
import { authorization, cidr, identity, ip, match, service, socketAddress, workload } from '@clearmesh/shared/testing/builders';
import { authorise, unknownPolicies } from '../../src/authorise/authorise.ts';
import type { InboundFacts } from '../../src/authorise/permit.ts';
import type { Snapshot } from '@clearmesh/shared/snapshot/snapshot';
import { snapshotOf } from '@clearmesh/shared/testing/pushes';

type Policy = Partial<Omit<Authorization, 'key'>>;

const server = workload({
  name: 'server',
  serviceAccount: 'server-sa',
  authorizationPolicies: ['bank/listed', 'clearmesh-system/strict'],
});
/** What the server lists, without effect. */
const inert: readonly Policy[] = [
  { name: 'listed', scope: 'WORKLOAD_SELECTOR', action: 'DENY', rules: [] },
  { name: 'strict', namespace: 'clearmesh-system', scope: 'WORKLOAD_SELECTOR', action: 'DENY', rules: [] },
];
const payments = identity('bank', 'payments');
const rule = (spec: Partial<Match>) => [{ clauses: [{ matches: [match(spec)] }] }];
const always = [{ clauses: [] }];
const strict: Policy = {
  name: 'strict',
  namespace: 'clearmesh-system',
  scope: 'WORKLOAD_SELECTOR',
  action: 'DENY',
  rules: rule({ notPrincipals: [{ kind: 'presence' }] }),
};

function facts(overrides: Partial<InboundFacts> = {}): InboundFacts {
  return {
    sourceIp: ip('10.0.0.1'),
    identity: payments,
    destination: socketAddress('10.0.0.2:8080'),
    workload: server,
    ...overrides,
  };
}

function plaintext(): InboundFacts {
  const { sourceIp, destination, workload: own } = facts();
  return { sourceIp, destination, workload: own };
}

/** A snapshot with these policies, the inert ones where none of these has their name. */
function guardedBy(policies: readonly Policy[]): Snapshot {
  return snapshotOf({ policies: [...inert, ...policies].map((policy) => authorization(policy)) });
}

function verdict(policies: readonly Policy[], about: InboundFacts = facts()): string {
  const decision = authorise(about, guardedBy(policies));
  return decision.kind === 'permit'
    ? `allowed by ${decision.allowedBy ?? 'default'}`
    : `${decision.reason} ${decision.policy ?? ''} ${decision.rule ?? ''}`.trim();
}

describe('authorise (section 9)', () => {
  const table: readonly { title: string; policies: readonly Policy[]; about?: InboundFacts; gives: string }[] = [
    { title: 'allows without any policy', policies: [], gives: 'allowed by default' },
    {
      title: 'obeys a policy of the namespace',
      policies: [{ action: 'DENY', rules: always }],
      gives: 'explicit-deny bank/policy 0',
    },
    {
      title: 'does not obey a policy of another namespace',
      policies: [{ namespace: 'other', action: 'DENY', rules: always }],
      gives: 'allowed by default',
    },
    {
      title: 'obeys a GLOBAL policy, whatever its namespace says',
      policies: [{ namespace: 'other', scope: 'GLOBAL', action: 'DENY', rules: always }],
      gives: 'explicit-deny other/policy 0',
    },
    {
      title: 'obeys a selected policy that the workload lists',
      policies: [{ name: 'listed', scope: 'WORKLOAD_SELECTOR', action: 'DENY', rules: always }],
      gives: 'explicit-deny bank/listed 0',
    },
    {
      title: 'does not obey a selected policy that it does not list',
      policies: [{ name: 'unlisted', scope: 'WORKLOAD_SELECTOR', action: 'DENY', rules: always }],
      gives: 'allowed by default',
    },
    {
      title: 'names the ALLOW policy that matched',
      policies: [{ rules: rule({ principals: [{ kind: 'exact', value: 'cluster.local/ns/bank/sa/payments' }] }) }],
      gives: 'allowed by bank/policy',
    },
    { title: 'denies when an ALLOW policy applies and none matches', policies: [{ rules: [] }], gives: 'no-allow-matched' },
    {
      title: 'lets a DENY win over an ALLOW',
      policies: [
        { name: 'a', rules: always },
        { name: 'd', action: 'DENY', rules: always },
      ],
      gives: 'explicit-deny bank/d 0',
    },
    {
      title: 'tells which rule denied',
      policies: [{ action: 'DENY', rules: [...rule({ destinationPorts: [1] }), ...rule({ destinationPorts: [8080] })] }],
      gives: 'explicit-deny bank/policy 1',
    },
    {
      title: 'denies plaintext under STRICT',
      policies: [strict],
      about: plaintext(),
      gives: 'explicit-deny clearmesh-system/strict 0',
    },
    { title: 'allows mTLS under STRICT', policies: [strict], gives: 'allowed by default' },
    {
      title: 'does not enforce a dry-run DENY',
      policies: [{ action: 'DENY', dryRun: true, rules: always }],
      gives: 'allowed by default',
    },
    {
      title: 'matches the TCP peer’s address',
      policies: [{ action: 'DENY', rules: rule({ sourceIps: [cidr('10.0.0.0/24')] }) }],
      gives: 'explicit-deny bank/policy 0',
    },
  ];
  for (const { title, policies, about, gives } of table) it(title, () => expect(verdict(policies, about)).to.equal(gives));

  it('gives the permit the very facts it was asked about', () => {
    const about = facts();
    expect(authorise(about, guardedBy([]))).to.have.property('facts', about);
  });

  it('hands on what dry-run policies would have done', () => {
    const decision = authorise(facts(), guardedBy([{ action: 'DENY', dryRun: true, rules: always }]));
    expect(decision.dryRun).to.deep.equal([{ outcome: 'would-deny', policy: 'bank/policy', rule: 0 }]);
  });

  describe('the explanation', () => {
    it('names policy, rule and both identities', () => {
      const decision = authorise(facts(), guardedBy([{ action: 'DENY', rules: always }]));
      expect(decision).to.have.property(
        'explanation',
        'spiffe://cluster.local/ns/bank/sa/payments from 10.0.0.1 may not reach spiffe://cluster.local/ns/bank/sa/server-sa at 10.0.0.2:8080: rule 0 of DENY policy bank/policy matches',
      );
    });

    it('says plaintext where there is no identity, and that nothing allowed it', () => {
      const decision = authorise(plaintext(), guardedBy([{}]));
      expect(decision)
        .to.have.property('explanation')
        .that.matches(/^plaintext without an identity from 10\.0\.0\.1 may not reach .*none of them matches$/);
    });
  });

  it('lets nobody in while a policy that the workload lists has not arrived', () => {
    const allowed = authorization({ rules: always });
    const decision = authorise(facts(), snapshotOf({ policies: [allowed, authorization({ ...inert[0] })] }));
    expect(decision).to.include({ kind: 'denied', reason: 'unknown-policy' });
    expect(decision)
      .to.have.property('explanation')
      .that.matches(/payments from .* may not reach .*have not arrived: clearmesh-system\/strict$/);
  });

  it('knows which listed policies are missing', () => {
    expect(unknownPolicies(server, snapshotOf({ policies: [authorization({ name: 'listed' })] }))).to.deep.equal([
      'clearmesh-system/strict',
    ]);
  });

  describe('behind a required waypoint', () => {
    const waypoint = service({ name: 'waypoint', addresses: [], ports: { 15008: 15008 } });
    const gateway = { kind: 'hostname', namespace: 'bank', hostname: waypoint.hostname, hboneMtlsPort: 15_008 } as const;
    const waypointPod = workload({
      name: 'waypoint-0',
      serviceAccount: 'waypoint',
      addresses: ['10.0.0.9'],
      services: { [waypoint.key]: {} },
    });
    const web = { ...service({ name: 'web', ports: { 80: 8080 } }), waypoint: gateway };
    const own = workload({ name: 'server', serviceAccount: 'server-sa', services: { [web.key]: {} } });
    const mesh = (policies: readonly Policy[], workloads = [own, waypointPod]) =>
      snapshotOf({ services: [web, waypoint], workloads, policies: policies.map((policy) => authorization(policy)) });
    const throughWaypoint = { workload: own, identity: identity('bank', 'waypoint'), caller: payments };
    const paymentsOnly: Policy = { rules: rule({ principals: [{ kind: 'exact', value: 'cluster.local/ns/bank/sa/payments' }] }) };
    const waypointOnly: Policy = { rules: rule({ principals: [{ kind: 'exact', value: 'cluster.local/ns/bank/sa/waypoint' }] }) };

    it('refuses whoever else comes, though policy allows it, and names service, waypoint and peer', () => {
      expect(authorise(facts({ workload: own }), mesh([paymentsOnly]))).to.deep.equal({
        kind: 'denied',
        reason: 'waypoint-bypass',
        explanation:
          'spiffe://cluster.local/ns/bank/sa/payments from 10.0.0.1 may not reach spiffe://cluster.local/ns/bank/sa/server-sa at 10.0.0.2:8080 without its waypoint: service bank/web.bank.svc.cluster.local requires waypoint bank/waypoint.bank.svc.cluster.local:15008',
        dryRun: [],
      });
    });

    it('names the workload where that is bound itself', () => {
      const bound = { ...own, services: new Map(), waypoint: gateway };
      expect(authorise(facts({ workload: bound }), mesh([], [bound, waypointPod])))
        .to.have.property('explanation')
        .that.matches(
          /without its waypoint: the workload itself requires waypoint bank\/waypoint\.bank\.svc\.cluster\.local:15008$/,
        );
    });

    it('refuses plain text', () => {
      const { sourceIp, destination } = facts();
      expect(authorise({ sourceIp, destination, workload: own }, mesh([]))).to.include({ reason: 'waypoint-bypass' });
    });

    it('asks policy about the caller, not about its waypoint', () => {
      expect(authorise(facts(throughWaypoint), mesh([paymentsOnly])).kind).to.equal('permit');
      const decision = authorise(facts(throughWaypoint), mesh([waypointOnly]));
      expect(decision)
        .to.have.property('explanation')
        .that.matches(
          /^spiffe:.*\/payments by way of spiffe:.*\/waypoint from 10\.0\.0\.1 may not reach .*none of them matches$/,
        );
    });

    it('asks policy about the waypoint where it speaks for nobody', () => {
      const alone = { workload: own, identity: identity('bank', 'waypoint') };
      expect(authorise(facts(alone), mesh([waypointOnly])).kind).to.equal('permit');
      expect(authorise(facts(alone), mesh([paymentsOnly])).kind).to.equal('denied');
    });
  });
});
