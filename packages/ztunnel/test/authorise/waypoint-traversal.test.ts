import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import { identity, ip, service, workload } from '@clearmesh/shared/testing/builders';
import { snapshotOf } from '@clearmesh/shared/testing/pushes';
import type { MeshObjects } from '@clearmesh/shared/testing/pushes';
import { comesFrom, requiredAt } from '../../src/authorise/waypoint-traversal.ts';

const at = (name: string): GatewayAddress => ({
  kind: 'hostname',
  namespace: 'bank',
  hostname: `${name}.bank.svc.cluster.local`,
  hboneMtlsPort: 15_008,
});
const gatewayOf = (name: string) => {
  const own = service({ name, addresses: [], ports: { 15008: 15008 } });
  const spec = { name: `${name}-0`, serviceAccount: name, services: { [own.key]: {} } };
  return { service: own, pod: workload({ ...spec, addresses: [`10.1.0.${name.length}`] }) };
};
const north = gatewayOf('north');
const canary = gatewayOf('canary');
const east = gatewayOf('east-gateway');
const gateways = [north, canary, east];

/** `web` takes 80 at 8080, `admin` 90 at 9090, `alias` 81 at 8080 too. */
const web = service({ name: 'web', ports: { 80: 8080 } });
const admin = service({ name: 'admin', addresses: ['10.96.0.2'], ports: { 90: 9090 } });
const alias = service({ name: 'alias', addresses: ['10.96.0.3'], ports: { 81: 8080 } });
const named = service({ name: 'named', addresses: ['10.96.0.4'], ports: { 70: 0 } });
const pod = workload({ name: 'pod', addresses: ['10.0.0.2'], services: { [web.key]: {}, [admin.key]: {} } });
const bound = (to: Service, name = 'north'): Service => ({ ...to, waypoint: at(name) });

/** Whose workloads may come to a port: the gateways and, of all others, a client. */
function admitted(own: Workload, port: number, { services = [], workloads = [] }: MeshObjects): string {
  const snapshot = snapshotOf({
    services: [...services, ...gateways.map((gateway) => gateway.service)],
    workloads: [own, ...workloads, ...gateways.map((gateway) => gateway.pod)],
  });
  const required = requiredAt(own, port, snapshot);
  if (required.length === 0) return 'open';
  const peers: readonly SpiffeId[] = ['client', 'north', 'canary', 'east-gateway'].map((account) => identity('bank', account));
  expect(comesFrom(required, undefined, snapshot), 'plain text').to.equal(false);
  return (
    peers
      .filter((peer) => comesFrom(required, peer, snapshot))
      .map((peer) => peer.split('/sa/')[1])
      .join(' ') || 'nobody'
  );
}

describe('a port behind a required waypoint (C8)', () => {
  const table: readonly { title: string; own?: Workload; port: number; mesh: MeshObjects; gives: string }[] = [
    { title: 'is open where nothing is bound', port: 8080, mesh: { services: [web, admin] }, gives: 'open' },
    { title: 'is open where nothing is bound and no service declares it', port: 1234, mesh: { services: [web] }, gives: 'open' },
    { title: 'takes the waypoint of its service', port: 8080, mesh: { services: [bound(web), admin] }, gives: 'north' },
    {
      title: 'is open for an unbound service beside a bound one',
      port: 9090,
      mesh: { services: [bound(web), admin] },
      gives: 'open',
    },
    {
      title: 'takes its own service’s waypoint and not its neighbour’s',
      port: 9090,
      mesh: { services: [bound(web), bound(admin, 'east-gateway')] },
      gives: 'east-gateway',
    },
    {
      title: 'is closed by any bound service where no service declares it',
      port: 1234,
      mesh: { services: [bound(web), admin] },
      gives: 'north',
    },
    {
      title: 'takes the waypoint of any bound service where no service declares it',
      port: 1234,
      mesh: { services: [bound(web), bound(admin, 'east-gateway')] },
      gives: 'north east-gateway',
    },
    {
      title: 'counts as undeclared by the service port, which is not its target',
      port: 80,
      mesh: { services: [bound(web), admin] },
      gives: 'north',
    },
    {
      title: 'is not opened by an unbound service with the same target',
      own: {
        ...pod,
        services: new Map([
          [web.key, []],
          [alias.key, []],
        ]),
      },
      port: 8080,
      mesh: { services: [bound(web), alias] },
      gives: 'north',
    },
    {
      title: 'takes the waypoints of both services with the same target',
      own: {
        ...pod,
        services: new Map([
          [web.key, []],
          [alias.key, []],
        ]),
      },
      port: 8080,
      mesh: { services: [bound(web), bound(alias, 'east-gateway')] },
      gives: 'north east-gateway',
    },
    {
      title: 'takes every waypoint of a canary, whatever its weight',
      port: 8080,
      mesh: { services: [{ ...bound(web), weightedWaypoints: [{ destination: at('canary'), weight: 0 }] }] },
      gives: 'north canary',
    },
    {
      title: 'is found by the workload’s own port mapping',
      own: { ...pod, services: new Map([[web.key, [{ servicePort: 80, targetPort: 8888 }]]]) },
      port: 8888,
      mesh: { services: [bound(web), admin] },
      gives: 'north',
    },
    {
      title: 'is found by the workload’s name of the port',
      own: {
        ...pod,
        services: new Map([
          [web.key, []],
          [named.key, [{ servicePort: 70, targetPort: 7070 }]],
        ]),
      },
      port: 7070,
      mesh: { services: [web, bound(named)] },
      gives: 'north',
    },
    {
      title: 'is bound by its workload, whatever the services say',
      own: { ...pod, waypoint: at('north') },
      port: 8080,
      mesh: { services: [web] },
      gives: 'north',
    },
    {
      title: 'is bound by its workload without any service',
      own: { ...pod, waypoint: at('north') },
      port: 1234,
      mesh: {},
      gives: 'north',
    },
    {
      title: 'takes the workload’s waypoint and the service’s',
      own: { ...pod, waypoint: at('north') },
      port: 8080,
      mesh: { services: [bound(web, 'east-gateway')] },
      gives: 'north east-gateway',
    },
    {
      title: 'takes nobody where the waypoint is not known',
      port: 8080,
      mesh: { services: [{ ...web, waypoint: at('lost') }] },
      gives: 'nobody',
    },
    {
      title: 'takes the waypoint by the VIP of its service',
      port: 8080,
      mesh: {
        services: [
          { ...web, waypoint: { kind: 'address', address: { network: '', ip: ip('10.96.9.9') }, hboneMtlsPort: 15_008 } },
          service({ name: 'west', addresses: ['10.96.9.9'], ports: { 15008: 15008 } }),
        ],
        workloads: [
          workload({
            name: 'w',
            serviceAccount: 'canary',
            addresses: ['10.2.0.1'],
            services: { 'bank/west.bank.svc.cluster.local': {} },
          }),
        ],
      },
      gives: 'canary',
    },
    {
      title: 'takes the waypoint by the address of its workload',
      port: 8080,
      mesh: {
        services: [
          { ...web, waypoint: { kind: 'address', address: { network: '', ip: ip('10.1.0.5') }, hboneMtlsPort: 15_008 } },
        ],
      },
      gives: 'north',
    },
    {
      title: 'is never behind its own workload’s waypoint',
      own: { ...north.pod, waypoint: at('north') },
      port: 15_020,
      mesh: {},
      gives: 'open',
    },
    {
      title: 'is never behind its own service’s waypoint',
      own: {
        ...north.pod,
        services: new Map([
          [north.service.key, []],
          [web.key, []],
        ]),
      },
      port: 8080,
      mesh: { services: [bound(web)] },
      gives: 'open',
    },
    {
      title: 'has one door with all others behind an application tunnel of one port',
      own: { ...pod, applicationTunnel: { protocol: 'NONE', port: 9090 } },
      port: 9090,
      mesh: { services: [bound(web), admin] },
      gives: 'north',
    },
    {
      title: 'is one of many behind an application tunnel that keeps ports',
      own: { ...pod, applicationTunnel: { protocol: 'PROXY', port: 0 } },
      port: 9090,
      mesh: { services: [bound(web), admin] },
      gives: 'open',
    },
  ];
  for (const { title, own = pod, port, mesh, gives } of table) {
    it(title, () => expect(admitted(own, port, mesh)).to.equal(gives));
  }

  it('takes a workload of the waypoint that is not ready, since it may drain', () => {
    const draining: Workload = { ...north.pod, status: 'UNHEALTHY' };
    const snapshot = snapshotOf({ services: [bound(web), north.service], workloads: [pod, draining] });
    expect(comesFrom(requiredAt(pod, 8080, snapshot), identity('bank', 'north'), snapshot)).to.equal(true);
  });

  it('does not take the waypoint’s account of another namespace or trust domain', () => {
    const snapshot = snapshotOf({ services: [bound(web), north.service], workloads: [pod, north.pod] });
    const required = requiredAt(pod, 8080, snapshot);
    for (const peer of [identity('other', 'north'), identity('bank', 'north', 'other.domain')])
      expect(comesFrom(required, peer, snapshot)).to.equal(false);
  });
});
