/** A small bank for the tests of resolution: a client, a ledger behind a service, and a waypoint. */
import { expect } from 'chai';
import { it } from 'mocha';
import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import { ip, service, socketAddress, workload } from '@clearmesh/shared/testing/builders';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { resolveOutbound } from '../../src/resolve/outbound.ts';
import type { Route } from '../../src/resolve/route.ts';
import { snapshotOf } from '@clearmesh/shared/testing/pushes';
import type { MeshObjects } from '@clearmesh/shared/testing/pushes';

export const client: Workload = workload({ name: 'client', addresses: ['10.0.0.1', 'fd00::1'] });
export const ledger: Service = service({ name: 'ledger', addresses: ['10.96.0.1'], ports: { 80: 8080 } });
export const ledgerPod: Workload = workload({
  name: 'ledger-0',
  addresses: ['10.0.0.2'],
  serviceAccount: 'ledger',
  services: { [ledger.key]: { 80: 8080 } },
});
export const waypointPod: Workload = workload({
  name: 'waypoint-0',
  addresses: ['10.0.0.9'],
  serviceAccount: 'waypoint',
  services: { 'bank/waypoint.bank.svc.cluster.local': { 15008: 15008 } },
});
export const waypoint: Service = service({ name: 'waypoint', addresses: ['10.96.0.9'], ports: { 15008: 15008 } });
export const byAddress: GatewayAddress = { kind: 'address', address: { network: '', ip: ip('10.96.0.9') }, hboneMtlsPort: 15008 };
export const byHostname: Extract<GatewayAddress, { kind: 'hostname' }> = {
  kind: 'hostname',
  namespace: 'bank',
  hostname: waypoint.hostname,
  hboneMtlsPort: 15008,
};
export const lost: GatewayAddress = { kind: 'address', address: { network: '', ip: ip('10.98.77.77') }, hboneMtlsPort: 15008 };

export type Setting = { readonly source?: Workload; readonly units?: readonly number[] };

export function route(to: string, objects: MeshObjects, { source = client, units = [0.5] }: Setting = {}): Route {
  const snapshot = snapshotOf({ ...objects, workloads: [source, ...(objects.workloads ?? [])] });
  return resolveOutbound(
    { source, client: socketAddress('10.0.0.1:40000'), originalDestination: socketAddress(to) },
    snapshot,
    new FakeRandom(units),
  );
}

/** One line that says all that matters of a route. */
export function line(found: Route): string {
  switch (found.kind) {
    case 'tunnel':
      return `${found.via} ${formatSocketAddress(found.peer)} for ${formatSocketAddress(found.authority)} as ${accounts(found.acceptedPeers)}`;
    case 'nested':
      return `${found.via} ${formatSocketAddress(found.peer)} as ${accounts(found.acceptedPeers)}, in it ${found.authority} as ${accounts(found.innerPeers)}`;
    case 'passthrough':
      return `plain ${formatSocketAddress(found.target)}`;
    case 'lookup':
      return `look up ${found.hostname}, IPv${found.prefer} first`;
    case 'refused':
      return `refused ${found.reason}`;
  }
}

function accounts(peers: readonly SpiffeId[]): string {
  return peers.map((id) => id.split('/sa/')[1]).join('|');
}

export type Case = {
  readonly title: string;
  readonly to: string;
  readonly mesh: MeshObjects;
  readonly setting?: Setting;
  readonly gives: string;
};

export function cases(table: readonly Case[]): void {
  for (const { title, to, mesh, setting, gives } of table) {
    it(title, () => expect(line(route(to, mesh, setting))).to.equal(gives));
  }
}
