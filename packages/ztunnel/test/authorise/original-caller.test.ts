import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import { identity, service, workload } from '@clearmesh/shared/testing/builders';
import { snapshotOf } from '@clearmesh/shared/testing/pushes';
import type { Snapshot } from '@clearmesh/shared/snapshot/snapshot';
import { originalCaller } from '../../src/authorise/original-caller.ts';

const waypoint = service({ name: 'waypoint', addresses: [], ports: { 15008: 15008 } });
const gateway: GatewayAddress = { kind: 'hostname', namespace: 'bank', hostname: waypoint.hostname, hboneMtlsPort: 15_008 };
const waypointPod = workload({
  name: 'waypoint-0',
  serviceAccount: 'waypoint',
  addresses: ['10.0.0.9'],
  services: { [waypoint.key]: {} },
});
const ledger = service({ name: 'ledger', ports: { 80: 8080 } });
const pod = workload({ name: 'ledger-0', addresses: ['10.0.0.2'], services: { [ledger.key]: {} } });
const payments = identity('bank', 'payments');
const own = identity('bank', 'waypoint');

const mesh = (changes: { readonly ledger?: Partial<typeof ledger>; readonly pod?: Partial<typeof pod> }): Snapshot =>
  snapshotOf({ services: [{ ...ledger, ...changes.ledger }, waypoint], workloads: [{ ...pod, ...changes.pod }, waypointPod] });
const byService = mesh({ ledger: { waypoint: gateway } });
const byWorkload = mesh({ pod: { waypoint: gateway } });
const byCanary = mesh({ ledger: { weightedWaypoints: [{ destination: gateway, weight: 10 }] } });
const unbound = mesh({});

describe('whom a peer speaks for (design decision 3)', () => {
  const table: readonly { title: string; header?: string; peer?: typeof own; snapshot?: Snapshot; gives: string }[] = [
    { title: 'is believed of the waypoint of a service', gives: `believed ${payments}` },
    { title: 'is believed of the waypoint of the workload', snapshot: byWorkload, gives: `believed ${payments}` },
    { title: 'is believed of a canary’s waypoint', snapshot: byCanary, gives: `believed ${payments}` },
    { title: 'is ignored of a waypoint the destination is not bound to', snapshot: unbound, gives: 'ignored' },
    { title: 'is ignored of anybody else', peer: identity('bank', 'client'), gives: 'ignored' },
    { title: 'is ignored of the caller itself', peer: payments, gives: 'ignored' },
    { title: 'is ignored of the waypoint’s account elsewhere', peer: identity('other', 'waypoint'), gives: 'ignored' },
    { title: 'is ignored of anybody else, malformed or not', peer: identity('bank', 'client'), header: '?', gives: 'ignored' },
    { title: 'is malformed when it is no id', header: 'payments', gives: 'malformed' },
    { title: 'is malformed when it is empty', header: '', gives: 'malformed' },
    { title: 'is malformed with a space before it', header: ` ${payments}`, gives: 'malformed' },
    { title: 'is malformed when there are two', header: `${payments},${payments}`, gives: 'malformed' },
    { title: 'is malformed for another kind of workload', header: 'spiffe://cluster.local/node/a', gives: 'malformed' },
    { title: 'is malformed for another trust domain', header: identity('bank', 'payments', 'other.domain'), gives: 'malformed' },
  ];
  for (const { title, header = payments, peer = own, snapshot = byService, gives } of table) {
    it(title, () => {
      const workload = snapshot.workload(pod.uid) ?? pod;
      const found = originalCaller({ header, peer, workload }, snapshot);
      expect(found.kind === 'believed' ? `believed ${found.caller}` : found.kind).to.equal(gives);
    });
  }

  it('says what is wrong with a malformed one, and not all of it', () => {
    const workload = byService.workload(pod.uid) ?? pod;
    const found = originalCaller({ header: 'x'.repeat(60_000), peer: own, workload }, byService);
    expect(found.kind === 'malformed' && found.detail).to.match(
      /^x-clearmesh-caller of .*\/sa\/waypoint is no SPIFFE id: "x{200}"$/,
    );
  });
});
