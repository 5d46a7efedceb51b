import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import { ip, service, workload } from '@clearmesh/shared/testing/builders';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { snapshotOf } from '@clearmesh/shared/testing/pushes';
import { passageTarget } from '../../src/passage/passage-target.ts';

const own = workload({ name: 'gate-0', namespace: 'networks', addresses: ['10.0.9.9'], network: 'west' });
const ledger = service({ name: 'ledger', addresses: ['west/10.96.0.1'], ports: { 80: 8080 } });
const waypoint = service({ name: 'waypoint', addresses: [], ports: { 15008: 15008 } });
const byName: GatewayAddress = { kind: 'hostname', namespace: 'bank', hostname: waypoint.hostname, hboneMtlsPort: 15_008 };
const pod = (name: string, address: string, spec: Partial<Workload> = {}, of: Service = ledger, port = 80): Workload => ({
  ...workload({ name, addresses: [address], network: 'west', services: { [of.key]: { [port]: port === 80 ? 8080 : port } } }),
  ...spec,
});
const a = pod('a', '10.0.0.1');
const b = pod('b', '10.0.0.2');
const waypointPod = pod('waypoint-0', '10.0.0.9', { nativeTunnel: true }, waypoint, 15_008);
const host = `${ledger.hostname}:80`;

type Mesh = { readonly services?: readonly Service[]; readonly workloads?: readonly Workload[]; readonly unit?: number };

function led(authority: string, { services = [ledger], workloads = [a, b], unit = 0 }: Mesh = {}): string {
  const snapshot = snapshotOf({ services, workloads: [own, ...workloads] });
  const found = passageTarget(authority, { snapshot, own, random: new FakeRandom([unit]) });
  return found.kind === 'target'
    ? `${found.workload.name} at ${formatSocketAddress(found.address)}`
    : `${found.status}: ${found.reason}`;
}

describe('where the gateway of a network leads', () => {
  const table: readonly { title: string; authority?: string; mesh?: Mesh; gives: string | RegExp }[] = [
    { title: 'to a pod of the service, at its port for tunnels', gives: 'a at 10.0.0.1:15008' },
    { title: 'to another one as chance will have it', mesh: { unit: 0.9 }, gives: 'b at 10.0.0.2:15008' },
    { title: 'to none that is not ready', mesh: { workloads: [{ ...a, status: 'UNHEALTHY' }, b] }, gives: 'b at 10.0.0.2:15008' },
    {
      title: 'to none outside of the mesh, whom nobody could prove',
      mesh: { workloads: [{ ...a, tunnelProtocol: 'NONE' }] },
      gives: /^503: service .* has no endpoint in this network that is ready and speaks HBONE/,
    },
    {
      title: 'to none of another network, though it were the only one',
      mesh: {
        workloads: [
          pod('far', '10.0.0.7', {
            network: 'north',
            networkGateway: { kind: 'address', address: { network: 'north', ip: ip('1.2.3.4') }, hboneMtlsPort: 15_008 },
          }),
        ],
      },
      gives: /^503: .* has no endpoint in this network/,
    },
    {
      title: 'to the waypoint of a service that requires it',
      mesh: { services: [{ ...ledger, waypoint: byName }, waypoint], workloads: [a, waypointPod] },
      gives: 'waypoint-0 at 10.0.0.9:15008',
    },
    {
      title: 'never around a waypoint that is not ready',
      mesh: {
        services: [{ ...ledger, waypoint: byName }, waypoint],
        workloads: [a, { ...waypointPod, status: 'UNHEALTHY' }],
      },
      gives: /^503: waypoint bank\/waypoint.* of service .* is not available/,
    },
    {
      title: 'to no other port, though the Service of the waypoint names one',
      mesh: {
        services: [{ ...ledger, waypoint: byName }, waypoint],
        workloads: [a, { ...waypointPod, services: new Map([[waypoint.key, [{ servicePort: 15_008, targetPort: 6379 }]]]) }],
      },
      gives: /^503: waypoint .* takes tunnels at another port than 15008/,
    },
    {
      title: 'never around one that is missing',
      mesh: { services: [{ ...ledger, waypoint: byName }] },
      gives: /^503: waypoint .* is not available/,
    },
    {
      title: 'to a service of another namespace by its name',
      mesh: { services: [{ ...ledger, visibility: 'PUBLIC' }] },
      gives: 'a at 10.0.0.1:15008',
    },
    {
      title: 'to no service that only its namespace may see',
      mesh: { services: [{ ...ledger, visibility: 'NAMESPACE' }] },
      gives: /^503: no service that others may see is known/,
    },
    { title: 'to no name that the mesh does not know', authority: 'example.com:80', gives: /^503: no service/ },
    {
      title: 'to no port that the service does not declare',
      authority: `${ledger.hostname}:22`,
      gives: /^503: .* has no port 22/,
    },
    { title: 'to no address of a pod', authority: '10.0.0.1:8080', gives: /^400: addresses mean nothing/ },
    { title: 'to no address of a service', authority: '10.96.0.1:80', gives: /^400: addresses mean nothing/ },
    { title: 'to nothing without a port', authority: ledger.hostname, gives: /^400: the authority is not host:port/ },
  ];
  for (const { title, authority = host, mesh, gives } of table) {
    it(title, () => {
      if (typeof gives === 'string') expect(led(authority, mesh)).to.equal(gives);
      else expect(led(authority, mesh)).to.match(gives);
    });
  }

  it('is port 15008 of a workload of its service, whatever is asked', () => {
    const texts = fc.oneof(fc.string(), fc.constantFrom(host, '10.0.0.1:15008', `${ledger.hostname}:15008`, `[::1]:80`));
    fc.assert(
      fc.property(texts, (authority) => {
        const found = led(authority);
        expect(found === 'a at 10.0.0.1:15008' ? authority.toLowerCase() === host : /^(400|503): /.test(found)).to.equal(true);
      }),
    );
  });
});
