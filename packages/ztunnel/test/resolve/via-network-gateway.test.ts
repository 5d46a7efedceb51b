import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import type { WorkloadUid } from '@clearmesh/shared/model/names';
import { identity, ip, workload } from '@clearmesh/shared/testing/builders';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { completeLookup } from '../../src/resolve/outbound.ts';
import { byAddress, byName, gatePod, gatewayAt, gatewayService, global, host, remote, standIn, vip } from './network-cases.ts';
import { byHostname, cases, client, ledger, ledgerPod, line, route, waypoint, waypointPod } from './outbound-cases.ts';

describe('workloads of another network (section 2.8; section 7, step 5)', () => {
  describe('are reached by their gateway, in a tunnel for the service’s hostname and port', () => {
    cases([
      {
        title: 'at the gateway’s address',
        to: vip,
        mesh: { services: [global], workloads: [remote(byAddress('1.2.3.4')), gatewayAt('1.2.3.4')] },
        gives: `direct 1.2.3.4:15008 as gate-west, in it ${host} as ledger`,
      },
      {
        title: 'at a workload of the gateway’s service, by hostname',
        to: vip,
        mesh: { services: [global, gatewayService], workloads: [remote(byName), gatePod(1)] },
        gives: `direct 10.0.9.1:15008 as gate|gate-named, in it ${host} as ledger`,
      },
      {
        title: 'at a workload of the service that has the gateway’s address',
        to: vip,
        mesh: { services: [global, gatewayService], workloads: [remote(byAddress('10.96.0.20', '')), gatePod(1)] },
        gives: `direct 10.0.9.1:15008 as gate|gate-named, in it ${host} as ledger`,
      },
      {
        title: 'at a workload with the gateway’s hostname',
        to: vip,
        mesh: {
          services: [global],
          workloads: [remote(byName), gatewayAt('1.2.3.4', 'west', { hostname: gatewayService.hostname })],
        },
        gives: `direct 1.2.3.4:15008 as gate-west, in it ${host} as ledger`,
      },
      {
        title: 'at a name that is looked up',
        to: vip,
        mesh: {
          services: [global],
          workloads: [remote(byName), gatewayAt('1.2.3.4', 'west', { hostname: gatewayService.hostname, addresses: [] })],
        },
        gives: `look up ${gatewayService.hostname}, IPv4 first`,
      },
      {
        title: 'for a stand-in without address',
        to: vip,
        mesh: { services: [global], workloads: [standIn(byAddress('1.2.3.4')), gatewayAt('1.2.3.4')] },
        gives: `direct 1.2.3.4:15008 as gate-west, in it ${host} as ledger`,
      },
      {
        title: 'whatever the workload there speaks',
        to: vip,
        mesh: {
          services: [global],
          workloads: [remote(byAddress('1.2.3.4'), 'west', { tunnelProtocol: 'NONE' }), gatewayAt('1.2.3.4')],
        },
        gives: `direct 1.2.3.4:15008 as gate-west, in it ${host} as ledger`,
      },
      {
        title: 'to a waypoint there, for the service that requires it',
        to: vip,
        mesh: {
          services: [
            { ...global, waypoint: byHostname },
            { ...waypoint, subjectAltNames: [identity('bank', 'waypoint')] },
          ],
          workloads: [{ ...waypointPod, network: 'west', networkGateway: byAddress('1.2.3.4') }, gatewayAt('1.2.3.4')],
        },
        gives: `waypoint 1.2.3.4:15008 as gate-west, in it ${host} as waypoint`,
      },
    ]);
  });

  it('dial the address that was found for the gateway’s name', () => {
    const workloads = [remote(byName), gatewayAt('1.2.3.4', 'west', { hostname: gatewayService.hostname, addresses: [] })];
    const found = route(vip, { services: [global], workloads });
    if (found.kind !== 'lookup') throw new Error(line(found));
    expect(line(completeLookup(found, [ip('9.9.9.9')], new FakeRandom()))).to.equal(
      `direct 9.9.9.9:15008 as gate-west, in it ${host} as ledger`,
    );
    expect(line(completeLookup(found, [], new FakeRandom()))).to.equal('refused no-healthy-upstream');
  });

  describe('yield to endpoints of the own network, and take over from them', () => {
    const near = { ...ledgerPod, uid: workload({ name: 'near' }).uid };
    const behind = [remote(byAddress('1.2.3.4')), gatewayAt('1.2.3.4')];
    cases([
      {
        title: 'while there is one',
        to: vip,
        mesh: { services: [global], workloads: [...behind, near] },
        gives: 'direct 10.0.0.2:15008 for 10.0.0.2:8080 as ledger',
      },
      {
        title: 'when none of them is ready',
        to: vip,
        mesh: { services: [global], workloads: [...behind, { ...near, status: 'UNHEALTHY' }] },
        gives: `direct 1.2.3.4:15008 as gate-west, in it ${host} as ledger`,
      },
      {
        title: 'when there are none in the preferred region, which an endpoint far away does not count against',
        to: vip,
        mesh: {
          services: [
            {
              ...global,
              loadBalancing: { mode: 'FAILOVER', routingPreference: ['NETWORK', 'REGION'], healthPolicy: 'ONLY_HEALTHY' },
            },
          ],
          workloads: [
            ...behind,
            gatewayAt('5.6.7.8', 'north'),
            remote(byAddress('5.6.7.8', 'north'), 'north', { locality: { region: 'eu', zone: '', subzone: '' } }),
          ],
        },
        setting: { source: { ...client, locality: { region: 'eu', zone: '', subzone: '' } } },
        gives: `direct 5.6.7.8:15008 as gate-north, in it ${host} as ledger`,
      },
    ]);
  });

  describe('are reached in another network when the gateway of one is of no use', () => {
    const north = [remote(byAddress('5.6.7.8', 'north'), 'north'), gatewayAt('5.6.7.8', 'north')];
    const gives = `direct 5.6.7.8:15008 as gate-north, in it ${host} as ledger`;
    cases([
      {
        title: 'since there is none',
        to: vip,
        mesh: { services: [global], workloads: [remote(undefined), ...north] },
        setting: { units: [0, 0] },
        gives,
      },
      {
        title: 'since nobody is known there',
        to: vip,
        mesh: { services: [global], workloads: [remote(byAddress('1.2.3.4')), ...north] },
        setting: { units: [0, 0] },
        gives,
      },
      {
        title: 'since it is not ready',
        to: vip,
        mesh: {
          services: [global],
          workloads: [remote(byAddress('1.2.3.4')), gatewayAt('1.2.3.4', 'west', { status: 'UNHEALTHY' }), ...north],
        },
        setting: { units: [0, 0] },
        gives,
      },
    ]);
  });

  describe('are refused, and never reached in plain text or directly', () => {
    const reason = 'refused network-gateway-unavailable';
    cases([
      { title: 'without a gateway', to: vip, mesh: { services: [global], workloads: [remote(undefined)] }, gives: reason },
      {
        title: 'with one that nobody knows',
        to: vip,
        mesh: { services: [global], workloads: [remote(byAddress('1.2.3.4'))] },
        gives: reason,
      },
      {
        title: 'with one that names no port',
        to: vip,
        mesh: {
          services: [global],
          workloads: [remote({ ...byAddress('1.2.3.4'), hboneMtlsPort: 0 }), gatewayAt('1.2.3.4')],
        },
        gives: reason,
      },
      {
        title: 'with one that is not ready, by address',
        to: vip,
        mesh: {
          services: [global],
          workloads: [remote(byAddress('1.2.3.4')), gatewayAt('1.2.3.4', 'west', { status: 'UNHEALTHY' })],
        },
        gives: reason,
      },
      {
        title: 'with one that is not ready, by hostname',
        to: vip,
        mesh: {
          services: [global, gatewayService],
          workloads: [remote(byName), gatePod(1, { status: 'UNHEALTHY' })],
        },
        gives: reason,
      },
      {
        title: 'with one that is itself behind a gateway',
        to: vip,
        mesh: {
          services: [global, gatewayService],
          workloads: [
            remote(byName),
            gatePod(1, { addresses: [], network: 'west', networkGateway: byAddress('1.2.3.4') }),
            gatewayAt('1.2.3.4'),
          ],
        },
        gives: reason,
      },
      {
        title: 'when the service names nobody who could be proven there',
        to: vip,
        mesh: { services: [ledger], workloads: [remote(byAddress('1.2.3.4')), gatewayAt('1.2.3.4')] },
        gives: reason,
      },
      {
        title: 'when the waypoint’s service names nobody',
        to: vip,
        mesh: {
          services: [{ ...global, waypoint: byHostname }, waypoint],
          workloads: [{ ...waypointPod, network: 'west', networkGateway: byAddress('1.2.3.4') }, gatewayAt('1.2.3.4')],
        },
        gives: reason,
      },
      {
        title: 'as the waypoint of a workload that was addressed itself',
        to: '10.0.0.2:8080',
        mesh: {
          services: [{ ...waypoint, subjectAltNames: [identity('bank', 'waypoint')] }],
          workloads: [
            { ...ledgerPod, waypoint: byHostname },
            { ...waypointPod, network: 'west', networkGateway: byAddress('1.2.3.4') },
            gatewayAt('1.2.3.4'),
          ],
        },
        gives: reason,
      },
      {
        title: 'with no endpoint where address and gateway are missing',
        to: vip,
        mesh: { services: [global], workloads: [remote(undefined, 'west', { addresses: [] })] },
        gives: 'refused no-healthy-upstream',
      },
    ]);

    it('with a reason that says which workload, which networks and what is missing', () => {
      const found = route(vip, { services: [global], workloads: [remote(byAddress('1.2.3.4'))] });
      expect(found).to.have.property(
        'detail',
        'workload Kubernetes//Pod/bank/ledger-west is in network "west" and the client in "": network gateway west/1.2.3.4:15008 is not available: no workload or service is known there',
      );
    });
  });

  it('never become plain text or a direct tunnel, whatever is known of gateways', () => {
    const gateways = fc.option(fc.constantFrom(byAddress('1.2.3.4'), byAddress('10.0.0.2'), byName), { nil: undefined });
    const known = fc.subarray([gatewayAt('1.2.3.4'), gatePod(1), gatePod(2, { status: 'UNHEALTHY' }), waypointPod]);
    const services = fc.constantFrom(ledger, global, { ...global, waypoint: byHostname });
    fc.assert(
      fc.property(gateways, gateways, known, services, fc.boolean(), (a, b, others, called, named) => {
        const found = route(vip, {
          services: [called, waypoint, ...(named ? [gatewayService] : [])],
          workloads: [remote(a), remote(b, 'north', { uid: 'x' as WorkloadUid }), ...others],
        });
        const toWaypoint = found.kind === 'tunnel' && found.via === 'waypoint';
        expect(toWaypoint || found.kind === 'nested' || found.kind === 'refused').to.equal(true, line(found));
      }),
    );
  });
});
