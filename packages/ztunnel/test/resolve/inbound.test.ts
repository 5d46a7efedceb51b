import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { Workload } from '@clearmesh/shared/model/workload';
import { parseAuthority } from '@clearmesh/shared/wire/authority';
import { ip, service, socketAddress, workload } from '@clearmesh/shared/testing/builders';
import { resolveInbound } from '../../src/resolve/inbound.ts';
import type { InboundOptions, InboundRejected, InboundTarget } from '../../src/resolve/inbound.ts';
import { snapshotOf } from '@clearmesh/shared/testing/pushes';
import type { MeshObjects } from '@clearmesh/shared/testing/pushes';

const ledger = service({ name: 'ledger', addresses: ['10.96.0.1', 'fd00::96'], ports: { 80: 8080, 81: 0 } });
const server = workload({ name: 'server', addresses: ['10.0.0.2', 'fd00::2'], services: { [ledger.key]: { 81: 9091 } } });
const toServer: GatewayAddress = { kind: 'address', address: { network: '', ip: ip('10.0.0.2') }, hboneMtlsPort: 15008 };

type Incoming = {
  readonly workload?: Workload;
  readonly accepted?: string;
  readonly forwardedHost?: string;
  readonly options?: InboundOptions;
};

function resolve(
  authority: string,
  mesh: MeshObjects,
  { workload: own = server, accepted = '10.0.0.2:15008', forwardedHost, options }: Incoming = {},
): InboundTarget | InboundRejected {
  const snapshot = snapshotOf({ ...mesh, workloads: [own, ...(mesh.workloads ?? [])] });
  const facts = { authority: parseAuthority(authority), accepted: socketAddress(accepted), workload: own };
  return resolveInbound(forwardedHost === undefined ? facts : { ...facts, forwardedHost }, snapshot, options);
}

function line(found: InboundTarget | InboundRejected): string {
  if (found.kind === 'rejected') return String(found.status);
  const proxy = found.proxyDestination === undefined ? '' : ` proxy ${formatSocketAddress(found.proxyDestination)}`;
  return `${formatSocketAddress(found.address)}${proxy}${found.localhost ? ' by loopback' : ''}`;
}

type Case = {
  readonly title: string;
  readonly authority: string;
  readonly mesh?: MeshObjects;
  readonly incoming?: Incoming;
  readonly gives: string;
};

function cases(table: readonly Case[]): void {
  for (const { title, authority, mesh = { services: [ledger] }, incoming, gives } of table) {
    it(title, () => expect(line(resolve(authority, mesh, incoming))).to.equal(gives));
  }
}

describe('resolveInbound (section 8.1)', () => {
  describe('addresses (steps 2, 4)', () => {
    cases([
      { title: 'accepts the own address', authority: '10.0.0.2:8080', gives: '10.0.0.2:8080' },
      {
        title: 'accepts the own IPv6 address',
        authority: '[fd00::2]:8080',
        incoming: { accepted: '[fd00::2]:15008' },
        gives: '[fd00::2]:8080',
      },
      { title: 'refuses an IPv6 address over IPv4', authority: '[fd00::2]:8080', gives: '400' },
      { title: 'refuses an IPv4-mapped address', authority: '[::ffff:10.0.0.2]:8080', gives: '400' },
      { title: 'refuses another address', authority: '10.0.0.8:8080', gives: '400' },
      { title: 'refuses a VIP without a waypoint', authority: '10.96.0.1:80', gives: '400' },
      { title: 'refuses an authority without port', authority: '10.0.0.2', gives: '400' },
      { title: 'refuses an empty port', authority: '10.0.0.2:', gives: '400' },
      { title: 'refuses a port beyond 65535', authority: '10.0.0.2:70000', gives: '400' },
      { title: 'refuses an empty authority', authority: '', gives: '400' },
    ]);
  });

  describe('a pod with a SOCKS listener', () => {
    const options: InboundOptions = { socks: true };
    const tunnelled = { ...server, applicationTunnel: { protocol: 'PROXY' as const, port: 15_080 } };
    cases([
      { title: 'is not reached there', authority: '10.0.0.2:15080', incoming: { options }, gives: '503' },
      {
        title: 'is not reached there by loopback',
        authority: '10.0.0.2:80',
        incoming: { options, workload: tunnelled },
        gives: '503',
      },
      { title: 'is reached elsewhere', authority: '10.0.0.2:8080', incoming: { options }, gives: '10.0.0.2:8080' },
    ]);
  });

  describe('a pod that opens some ports only', () => {
    const options: InboundOptions = { admittedPorts: new Set([15_020]) };
    const moved = { ...server, applicationTunnel: { protocol: 'NONE' as const, port: 8080 } };
    cases([
      { title: 'lets tunnels to these', authority: '10.0.0.2:15020', incoming: { options }, gives: '10.0.0.2:15020' },
      { title: 'lets none to another', authority: '10.0.0.2:8080', incoming: { options }, gives: '503' },
      {
        title: 'judges where a tunnel really ends',
        authority: '10.0.0.2:15020',
        incoming: { options, workload: moved },
        gives: '503',
      },
    ]);
  });

  describe('a waypoint’s own pod (step 4)', () => {
    const waypoint = service({ name: 'waypoint', addresses: ['10.96.0.9'], ports: { 15008: 15008 } });
    const waypointPod = { ...server, services: new Map([[waypoint.key, []]]) };
    const byVip: GatewayAddress = { kind: 'address', address: { network: '', ip: ip('10.96.0.9') }, hboneMtlsPort: 15008 };
    const byName: GatewayAddress = { kind: 'hostname', namespace: 'bank', hostname: waypoint.hostname, hboneMtlsPort: 15008 };
    const other: GatewayAddress = { kind: 'address', address: { network: '', ip: ip('10.0.0.99') }, hboneMtlsPort: 15008 };
    const behind = workload({ name: 'behind', addresses: ['10.0.0.5'], waypoint: toServer });
    cases([
      {
        title: 'accepts the VIP of a service that names it by its address',
        authority: '10.96.0.1:80',
        mesh: { services: [{ ...ledger, waypoint: toServer }] },
        gives: '10.0.0.2:80',
      },
      {
        title: 'accepts the VIP of a service that names its service’s VIP',
        authority: '10.96.0.1:80',
        mesh: { services: [{ ...ledger, waypoint: byVip }, waypoint] },
        incoming: { workload: waypointPod },
        gives: '10.0.0.2:80',
      },
      {
        title: 'accepts the VIP of a service that names its service’s hostname',
        authority: '10.96.0.1:80',
        mesh: { services: [{ ...ledger, waypoint: byName }, waypoint] },
        incoming: { workload: waypointPod },
        gives: '10.0.0.2:80',
      },
      {
        title: 'accepts the VIP of a service that names it by weight',
        authority: '10.96.0.1:80',
        mesh: { services: [{ ...ledger, weightedWaypoints: [{ destination: toServer, weight: 1 }] }] },
        gives: '10.0.0.2:80',
      },
      {
        title: 'accepts the address of a pod that names it',
        authority: '10.0.0.5:8080',
        mesh: { workloads: [behind] },
        gives: '10.0.0.2:8080',
      },
      {
        title: 'refuses the VIP of a service that names another waypoint',
        authority: '10.96.0.1:80',
        mesh: { services: [{ ...ledger, waypoint: other }] },
        gives: '400',
      },
      {
        title: 'refuses the address of a pod that names another waypoint',
        authority: '10.0.0.5:8080',
        mesh: { workloads: [{ ...behind, waypoint: other }] },
        gives: '400',
      },
      {
        title: 'refuses when it is no endpoint of the service named',
        authority: '10.96.0.1:80',
        mesh: { services: [{ ...ledger, waypoint: byVip }, waypoint] },
        gives: '400',
      },
    ]);
  });

  describe('hostnames (step 5)', () => {
    const core = service({ namespace: 'core', hostname: ledger.hostname, addresses: ['10.96.0.3'], ports: { 80: 7070 } });
    cases([
      { title: 'resolve the service port', authority: `${ledger.hostname}:80`, gives: '10.0.0.2:8080' },
      { title: 'resolve a named port by the pod’s own mapping', authority: `${ledger.hostname}:81`, gives: '10.0.0.2:9091' },
      { title: 'refuse a port the service does not have', authority: `${ledger.hostname}:82`, gives: '503' },
      {
        title: 'refuse a named port the pod does not map',
        authority: `${ledger.hostname}:81`,
        incoming: { workload: { ...server, services: new Map() } },
        gives: '503',
      },
      {
        title: 'prefer the service of the pod’s own namespace',
        authority: `${ledger.hostname}:80`,
        mesh: { services: [core, ledger] },
        gives: '10.0.0.2:8080',
      },
      {
        title: 'take a service of another namespace otherwise',
        authority: `${ledger.hostname}:80`,
        mesh: { services: [core] },
        gives: '10.0.0.2:7070',
      },
      { title: 'refuse an unknown name', authority: 'nobody.bank.svc.cluster.local:80', gives: '503' },
      { title: 'refuse a user part as an unknown name', authority: 'user@10.0.0.2:80', gives: '503' },
      {
        title: 'keep the port of a workload’s own name',
        authority: 'vm.example:8443',
        mesh: { workloads: [workload({ name: 'vm', hostname: 'vm.example', addresses: ['10.0.0.77'] })] },
        gives: '10.0.0.2:8443',
      },
    ]);
  });

  describe('ports of the proxy (step 6)', () => {
    cases([
      ...[15001, 15006, 15008, 0].map((port) => ({ title: `refuses port ${port}`, authority: `10.0.0.2:${port}`, gives: '503' })),
      {
        title: 'refuses a service port that resolves to one',
        authority: `${ledger.hostname}:80`,
        mesh: { services: [service({ name: 'ledger', ports: { 80: 15006 } })] },
        gives: '503',
      },
      {
        title: 'refuses an application tunnel’s port that is one',
        authority: '10.0.0.2:80',
        incoming: { workload: { ...server, applicationTunnel: { protocol: 'NONE', port: 15008 } } },
        gives: '503',
      },
    ]);
  });

  describe('application tunnels (step 7)', () => {
    const proxied: Workload = { ...server, applicationTunnel: { protocol: 'PROXY', port: 15088 } };
    const keepsPort: Workload = { ...server, applicationTunnel: { protocol: 'PROXY', port: 0 } };
    const plain: Workload = { ...server, applicationTunnel: { protocol: 'NONE', port: 15088 } };
    const headless = service({ name: 'headless', addresses: [] });
    const foreign = service({ name: 'foreign', addresses: ['fd00::99', 'west/10.96.9.9'] });
    cases([
      {
        title: 'take any address, and tell it in the PROXY header',
        authority: '10.98.0.13:221',
        incoming: { workload: proxied },
        gives: '10.0.0.2:15088 proxy 10.98.0.13:221 by loopback',
      },
      {
        title: 'are reached at the pod’s address when loopback is off',
        authority: '10.98.0.13:221',
        incoming: { workload: proxied, options: { localhostAppTunnel: false } },
        gives: '10.0.0.2:15088 proxy 10.98.0.13:221',
      },
      {
        title: 'keep the requested port without one of their own',
        authority: '10.0.0.2:8080',
        incoming: { workload: keepsPort },
        gives: '10.0.0.2:8080 proxy 10.0.0.2:8080 by loopback',
      },
      {
        title: 'without PROXY go to the pod’s address at their port',
        authority: '10.98.0.13:221',
        incoming: { workload: plain },
        gives: '10.0.0.2:15088',
      },
      {
        title: 'tell the service’s IPv4 VIP and port for a hostname',
        authority: `${ledger.hostname}:80`,
        incoming: { workload: proxied },
        gives: '10.0.0.2:15088 proxy 10.96.0.1:80 by loopback',
      },
      {
        title: 'tell a VIP of the own network rather than IPv4',
        authority: `${foreign.hostname}:80`,
        mesh: { services: [foreign] },
        incoming: { workload: proxied },
        gives: '10.0.0.2:15088 proxy [fd00::99]:80 by loopback',
      },
      {
        title: 'take a named port that the pod does not map',
        authority: `${ledger.hostname}:81`,
        incoming: { workload: { ...proxied, services: new Map() } },
        gives: '10.0.0.2:15088 proxy 10.96.0.1:81 by loopback',
      },
      {
        title: 'refuse a hostname without VIP',
        authority: `${headless.hostname}:80`,
        mesh: { services: [headless] },
        incoming: { workload: proxied },
        gives: '503',
      },
      { title: 'refuse an unknown hostname', authority: 'nobody.example:80', incoming: { workload: proxied }, gives: '503' },
    ]);
  });

  describe('the service for telemetry', () => {
    const audit = service({ name: 'audit', addresses: ['10.96.0.7'], ports: { 80: 8080 } });
    const both = {
      ...server,
      services: new Map([
        [ledger.key, []],
        [audit.key, []],
      ]),
    };
    const mesh = { services: [ledger, audit] };

    it('is the one Forwarded names, if it is one of the pod’s', () => {
      const named = (forwardedHost: string) => resolve('10.0.0.2:8080', mesh, { workload: both, forwardedHost });
      expect(named(audit.hostname)).to.have.nested.property('service.name', 'audit');
      expect(named('card.example')).to.have.nested.property('service.name', 'ledger');
    });

    it('is else the first whose port leads there, or none', () => {
      expect(resolve('10.0.0.2:8080', mesh, { workload: both })).to.have.nested.property('service.name', 'ledger');
      expect(resolve('10.0.0.2:1234', mesh, { workload: both })).to.not.have.property('service');
    });
  });
});
