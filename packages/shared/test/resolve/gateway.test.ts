import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import { belongsToGateway, formatGateway, isGatewayIdentity, waypointsOf } from '@clearmesh/shared/resolve/gateway';
import { identity, ip, service, workload } from '@clearmesh/shared/testing/builders';
import { snapshotOf } from '@clearmesh/shared/testing/pushes';

const waypoint = service({ name: 'waypoint', addresses: ['10.96.0.9'], ports: { 15008: 15008 } });
const pod = workload({
  name: 'waypoint-0',
  serviceAccount: 'waypoint',
  addresses: ['10.0.0.9'],
  services: { [waypoint.key]: {} },
});
const namedPod = workload({ name: 'named', serviceAccount: 'named', addresses: ['10.0.0.8'], hostname: 'wp.example' });
const stranger = workload({ name: 'stranger', serviceAccount: 'stranger', addresses: ['10.0.0.7'] });
const everybody = { services: [waypoint], workloads: [pod, namedPod, stranger] };

const byHostname = (hostname: string, namespace = 'bank'): GatewayAddress => ({
  kind: 'hostname',
  namespace,
  hostname,
  hboneMtlsPort: 15_008,
});
const byAddress = (address: string, network = ''): GatewayAddress => ({
  kind: 'address',
  address: { network, ip: ip(address) },
  hboneMtlsPort: 15_008,
});

describe('who stands behind a gateway', () => {
  const table: readonly { title: string; gateway: GatewayAddress; mesh?: Parameters<typeof snapshotOf>[0]; gives: string }[] = [
    { title: 'are the endpoints of the service of that name', gateway: byHostname(waypoint.hostname), gives: 'waypoint' },
    { title: 'is the workload of that name', gateway: byHostname('wp.example'), gives: 'named' },
    { title: 'are the endpoints of the service of that address', gateway: byAddress('10.96.0.9'), gives: 'waypoint' },
    { title: 'is the workload of that address', gateway: byAddress('10.0.0.9'), gives: 'waypoint' },
    { title: 'is nobody of another namespace', gateway: byHostname(waypoint.hostname, 'other'), gives: '' },
    { title: 'is no workload of another namespace', gateway: byHostname('wp.example', 'other'), gives: '' },
    { title: 'is nobody of another network', gateway: byAddress('10.0.0.9', 'far'), gives: '' },
    { title: 'is nobody where nothing is known', gateway: byAddress('10.98.0.1'), gives: '' },
    {
      title: 'is nobody while the service has not arrived, whoever names it',
      gateway: byHostname(waypoint.hostname),
      mesh: { workloads: everybody.workloads },
      gives: '',
    },
  ];
  for (const { title, gateway, mesh = everybody, gives } of table) {
    it(title, () => {
      const snapshot = snapshotOf(mesh);
      const members = everybody.workloads.filter((each) => belongsToGateway(snapshot, gateway, each));
      expect(members.map(({ serviceAccount }) => serviceAccount).join(' '), 'workloads').to.equal(gives);
      const proven = everybody.workloads.filter(({ serviceAccount }) =>
        isGatewayIdentity(snapshot, gateway, identity('bank', serviceAccount)),
      );
      expect(proven.map(({ serviceAccount }) => serviceAccount).join(' '), 'identities').to.equal(gives);
    });
  }

  it('proves the whole identity', () => {
    const snapshot = snapshotOf(everybody);
    const gateway = byHostname(waypoint.hostname);
    for (const other of [
      identity('other', 'waypoint'),
      identity('bank', 'waypoint', 'other.domain'),
      identity('bank', 'waypoint2'),
    ])
      expect(isGatewayIdentity(snapshot, gateway, other)).to.equal(false);
  });
});

describe('the waypoints of a service', () => {
  const plain = byHostname('plain');
  const canary = byHostname('canary');
  const weightedWaypoints = [{ destination: canary, weight: 0 }];
  for (const [title, spec, gives] of [
    ['are none where it is not bound', {}, []],
    ['are the plain one', { waypoint: plain }, [plain]],
    ['are those of a canary, whatever their weight', { weightedWaypoints }, [canary]],
    ['are the plain one and those of a canary', { waypoint: plain, weightedWaypoints }, [plain, canary]],
  ] as const) {
    it(title, () => expect(waypointsOf(service({ ...spec }))).to.deep.equal(gives));
  }
});

describe('a gateway in a message', () => {
  it('is its hostname', () => expect(formatGateway(byHostname('wp.example'))).to.equal('bank/wp.example:15008'));
  it('is its network and address', () => expect(formatGateway(byAddress('10.0.0.9', 'net'))).to.equal('net/10.0.0.9:15008'));
});
