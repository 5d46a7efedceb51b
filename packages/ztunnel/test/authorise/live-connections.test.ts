import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import { policyKey } from '@clearmesh/shared/model/names';
import { silentLogger } from '@clearmesh/shared/observe/log';
import type { LogFields, Logger } from '@clearmesh/shared/observe/log';
import { authorization, identity, ip, match, service, socketAddress, workload } from '@clearmesh/shared/testing/builders';
import { LiveConnections } from '../../src/authorise/live-connections.ts';
import type { Admitted, LiveConnectionsOptions } from '../../src/authorise/live-connections.ts';
import type { Denial, InboundFacts } from '../../src/authorise/permit.ts';
import type { SnapshotStore } from '@clearmesh/shared/snapshot/snapshot-store';
import { addressPush, policyPush, storeOf } from '@clearmesh/shared/testing/pushes';

const server = workload({ name: 'server' });
const denyPayments = authorization({
  name: 'deny',
  action: 'DENY',
  rules: [{ clauses: [{ matches: [match({ principals: [{ kind: 'suffix', value: 'payments' }] })] }] }],
});

function facts(account: string, own: Workload = server): InboundFacts {
  return {
    sourceIp: ip('10.0.0.1'),
    identity: identity('bank', account),
    destination: socketAddress('10.0.0.2:8080'),
    workload: own,
  };
}

type Bed = {
  readonly store: SnapshotStore;
  readonly live: LiveConnections;
  /** Opens a connection and notes when it is closed. */
  readonly open: (account: string, own?: Workload) => Admitted | Denial;
  readonly closed: readonly string[];
};

function bed(options: LiveConnectionsOptions = {}, logger: Logger = silentLogger): Bed {
  const store = storeOf({ workloads: [server] });
  const closed: string[] = [];
  const live = new LiveConnections(options, { source: store, logger });
  const open = (account: string, own?: Workload): Admitted | Denial =>
    live.admit(facts(account, own), ({ reason }) => void closed.push(`${account} ${reason}`));
  return { store, live, open, closed };
}

function recorder(lines: string[]): Logger {
  const at = (level: string) => (message: string, fields?: LogFields) =>
    void lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  const logger: Logger = {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    debugs: true,
    scope: () => logger,
  };
  return logger;
}

describe('LiveConnections', () => {
  it('admits what policy allows and counts it until it is released', () => {
    const { live, open } = bed();
    const admitted = open('payments');
    expect([admitted.kind, live.size]).to.deep.equal(['admitted', 1]);
    if (admitted.kind !== 'admitted') return;
    admitted.release();
    admitted.release();
    expect(live.size).to.equal(0);
  });

  it('does not admit what policy denies, nor keep it', () => {
    const { store, live, open, closed } = bed();
    store.apply(policyPush({ policies: [denyPayments] }));
    expect([open('payments').kind, live.size, closed]).to.deep.equal(['denied', 0, []]);
  });

  it('closes at once those that a new policy denies, and no other', () => {
    const { store, live, open, closed } = bed();
    open('payments');
    open('audit');
    store.apply(policyPush({ policies: [denyPayments] }));
    expect([closed, live.size]).to.deep.equal([['payments explicit-deny'], 1]);
  });

  it('closes plaintext connections when mTLS becomes STRICT for all', () => {
    const { store, live, closed } = bed();
    const { sourceIp, destination } = facts('x');
    const closings: Denial[] = [];
    live.admit({ sourceIp, destination, workload: server }, (denial) => void closings.push(denial));
    const rules = [{ clauses: [{ matches: [match({ notPrincipals: [{ kind: 'presence' }] })] }] }];
    store.apply(
      policyPush({ policies: [authorization({ name: 'strict', namespace: 'root', scope: 'GLOBAL', action: 'DENY', rules })] }),
    );
    expect(closings.map(({ policy }) => policy)).to.deep.equal([policyKey('root', 'strict')]);
    expect([closed, live.size]).to.deep.equal([[], 0]);
  });

  it('closes those that the removal of an ALLOW leaves without one', () => {
    const { store, open, closed } = bed();
    const only = (name: string, account: string) =>
      authorization({ name, rules: [{ clauses: [{ matches: [match({ principals: [{ kind: 'suffix', value: account }] })] }] }] });
    store.apply(policyPush({ policies: [only('a', 'audit'), only('p', 'payments')] }));
    open('payments');
    open('audit');
    store.apply(policyPush({}, [policyKey('bank', 'p')]));
    expect(closed).to.deep.equal(['payments no-allow-matched']);
  });

  it('closes those whose workload a policy comes to select (L2)', () => {
    const { store, open, closed } = bed();
    store.apply(policyPush({ policies: [{ ...denyPayments, scope: 'WORKLOAD_SELECTOR' }] }));
    open('payments');
    open('payments', workload({ name: 'other' }));
    store.apply(addressPush({ workloads: [workload({ name: 'server', authorizationPolicies: ['bank/deny'] })] }));
    expect(closed).to.deep.equal(['payments explicit-deny']);
  });

  it('decides by the workload as it was at accept once the control plane has forgotten it', () => {
    const { store, live, open, closed } = bed();
    open('payments');
    store.apply(addressPush({}, [server.uid]));
    expect([closed, live.size]).to.deep.equal([[], 1]);
    store.apply(policyPush({ policies: [denyPayments] }));
    expect(closed).to.deep.equal(['payments explicit-deny']);
  });

  it('never closes what was released', () => {
    const { store, open, closed } = bed();
    const admitted = open('payments');
    if (admitted.kind === 'admitted') admitted.release();
    store.apply(policyPush({ policies: [denyPayments] }));
    expect(closed).to.deep.equal([]);
  });

  it('bears a close that releases others, and one that throws', () => {
    const { store, live } = bed();
    const closed: string[] = [];
    const first = live.admit(facts('payments'), () => {
      closed.push('first');
      if (second.kind === 'admitted') second.release();
      throw new Error('cannot be closed');
    });
    const second: Admitted | Denial = live.admit(facts('payments'), () => void closed.push('second'));
    const third = live.admit(facts('payments'), () => void closed.push('third'));
    expect([first.kind, third.kind]).to.deep.equal(['admitted', 'admitted']);
    store.apply(policyPush({ policies: [denyPayments] }));
    expect([closed, live.size]).to.deep.equal([['first', 'third'], 0]);
  });

  it('refuses what it could not watch (L3)', () => {
    const { live, open } = bed({ maxConnections: 2 });
    const [first] = [open('a'), open('b')];
    expect(open('c')).to.include({ kind: 'denied', reason: 'tracking-full' });
    if (first?.kind === 'admitted') first.release();
    expect([open('d').kind, live.size]).to.deep.equal(['admitted', 2]);
  });

  it('hears of nothing after it was disposed of', () => {
    const { store, live, open, closed } = bed();
    open('payments');
    live[Symbol.dispose]();
    store.apply(policyPush({ policies: [denyPayments] }));
    expect([closed, live.size]).to.deep.equal([[], 0]);
  });

  it('logs decisions at the level asked for, with dry-run notes', () => {
    const lines: string[] = [];
    const { store, open } = bed({ decisionLevel: 'info' }, recorder(lines));
    store.apply(policyPush({ policies: [{ ...denyPayments, dryRun: true }] }));
    open('payments');
    store.apply(policyPush({ policies: [denyPayments] }));
    expect(lines.map((line) => line.split(' {')[0])).to.deep.equal([
      'info policy allows a connection',
      'info dry-run policy: would-deny',
      'info policy denies a connection: spiffe://cluster.local/ns/bank/sa/payments from 10.0.0.1 may not reach spiffe://cluster.local/ns/bank/sa/default at 10.0.0.2:8080: rule 0 of DENY policy bank/deny matches',
    ]);
  });

  it('does not admit while a listed policy has not arrived, and ends nothing that is open for it', () => {
    const { store, live, open, closed } = bed();
    open('payments');
    const guarded = workload({ name: 'server', authorizationPolicies: ['bank/deny'] });
    store.apply(addressPush({ workloads: [guarded] }));
    expect([open('payments', guarded).kind, live.size, closed]).to.deep.equal(['denied', 1, []]);
    store.apply(policyPush({ policies: [{ ...denyPayments, scope: 'WORKLOAD_SELECTOR' }] }));
    expect([open('audit', guarded).kind, closed]).to.deep.equal(['admitted', ['payments explicit-deny']]);
  });

  it('ends nothing while the policy that allows it is renamed, whichever half of the change comes first', () => {
    const only = (name: string, account: string) =>
      authorization({
        name,
        scope: 'WORKLOAD_SELECTOR',
        rules: [{ clauses: [{ matches: [match({ principals: [{ kind: 'suffix', value: account }] })] }] }],
      });
    const lists = (...policies: readonly string[]) => workload({ name: 'server', authorizationPolicies: policies });
    const halves = (store: SnapshotStore) => [
      () => store.apply(addressPush({ workloads: [lists('bank/new', 'bank/other')] })),
      () => store.apply(policyPush({ policies: [only('new', 'payments')] }, [policyKey('bank', 'old')])),
    ];
    for (const order of [halves, (store: SnapshotStore) => halves(store).toReversed()]) {
      const { store, open, closed } = bed();
      const own = lists('bank/old', 'bank/other');
      store.apply(addressPush({ workloads: [own] }));
      store.apply(policyPush({ policies: [only('old', 'payments'), only('other', 'audit')] }));
      open('payments', own);
      for (const half of order(store)) half();
      expect(closed).to.deep.equal([]);
      store.apply(policyPush({ policies: [only('new', 'nobody')] }));
      expect(closed).to.deep.equal(['payments no-allow-matched']);
    }
  });

  describe('through a waypoint', () => {
    const waypoint = service({ name: 'waypoint', addresses: [], ports: { 15008: 15008 } });
    const gateway: GatewayAddress = { kind: 'hostname', namespace: 'bank', hostname: waypoint.hostname, hboneMtlsPort: 15_008 };
    const waypointPod = workload({
      name: 'waypoint-0',
      serviceAccount: 'waypoint',
      addresses: ['10.0.0.9'],
      services: { [waypoint.key]: {} },
    });
    const web = service({ name: 'web', ports: { 80: 8080 } });
    const own = workload({ name: 'server', services: { [web.key]: {} } });
    const mesh = (binding: Partial<Service>) =>
      addressPush({ services: [{ ...web, ...binding }, waypoint], workloads: [own, waypointPod] });

    it('are let be when it comes to be required; those that come without it then are not', () => {
      const { store, live, open, closed } = bed();
      store.apply(mesh({}));
      open('audit', own);
      store.apply(mesh({ waypoint: gateway }));
      store.apply(policyPush({ policies: [denyPayments] }));
      expect([closed, live.size]).to.deep.equal([[], 1]);
      expect(open('audit', own)).to.include({ kind: 'denied', reason: 'waypoint-bypass' });
      expect(open('waypoint', own).kind).to.equal('admitted');
    });

    it('are closed by a policy against the caller, and not by one against the waypoint', () => {
      const { store, live } = bed();
      const closed: string[] = [];
      store.apply(mesh({ waypoint: gateway }));
      for (const account of ['payments', 'audit'])
        live.admit({ ...facts('waypoint', own), caller: identity('bank', account) }, () => void closed.push(account));
      const deny = (account: string) => ({
        ...denyPayments,
        rules: [{ clauses: [{ matches: [match({ principals: [{ kind: 'suffix' as const, value: account }] })] }] }],
      });
      store.apply(policyPush({ policies: [deny('/waypoint')] }));
      expect(closed).to.deep.equal([]);
      store.apply(policyPush({ policies: [deny('/payments')] }));
      expect(closed).to.deep.equal(['payments']);
    });

    it('stay the caller’s when the waypoint is no longer required', () => {
      const { store, live } = bed();
      const closed: Denial[] = [];
      store.apply(mesh({ waypoint: gateway }));
      live.admit({ ...facts('waypoint', own), caller: identity('bank', 'payments') }, (denial) => void closed.push(denial));
      store.apply(mesh({}));
      store.apply(policyPush({ policies: [denyPayments] }));
      expect(closed.map(({ explanation }) => explanation)[0]).to.contain('payments by way of spiffe://');
    });
  });

  it('keeps nothing of 50,000 connections that came and went', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const { live } = bed();
    const turn = (): void => {
      for (let n = 0; n < 25_000; n++) {
        const admitted = live.admit(facts(`a${n}`, workload({ name: `w${n % 100}` })), () => {});
        if (admitted.kind === 'admitted') admitted.release();
      }
      collect();
    };
    turn();
    const before = process.memoryUsage().heapUsed;
    turn();
    // 25,000 kept connections of about 300 bytes would be 7 MiB.
    expect(process.memoryUsage().heapUsed - before).to.be.lessThan(2 * 1024 * 1024);
    expect(live.size).to.equal(0);
  });
});
