import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import { identity, ip, workload } from '@clearmesh/shared/testing/builders';
import { byAddress, byHostname, cases, ledger, ledgerPod, lost, route, waypoint, waypointPod } from './outbound-cases.ts';

describe('resolveOutbound (section 7) through waypoints', () => {
  describe('service waypoints (step 3)', () => {
    const behind = { ...ledger, waypoint: byAddress };
    const mesh = { services: [behind, waypoint], workloads: [ledgerPod, waypointPod] };
    const canary = workload({ name: 'canary', addresses: ['10.0.0.8'], serviceAccount: 'canary' });
    const canaryGateway: GatewayAddress = { kind: 'address', address: { network: '', ip: ip('10.0.0.8') }, hboneMtlsPort: 15008 };
    const weighted = {
      ...ledger,
      waypoint: byAddress,
      weightedWaypoints: [
        { destination: byHostname, weight: 90 },
        { destination: canaryGateway, weight: 10 },
      ],
    };
    const weightedMesh = { services: [weighted, waypoint], workloads: [waypointPod, canary] };
    cases([
      {
        title: 'carry the untranslated destination as authority',
        to: '10.96.0.1:80',
        mesh,
        gives: 'waypoint 10.0.0.9:15008 for 10.96.0.1:80 as waypoint',
      },
      {
        title: 'carry even a port the service does not have',
        to: '10.96.0.1:4444',
        mesh,
        gives: 'waypoint 10.0.0.9:15008 for 10.96.0.1:4444 as waypoint',
      },
      {
        title: 'are found by hostname of a service',
        to: '10.96.0.1:80',
        mesh: { ...mesh, services: [{ ...ledger, waypoint: byHostname }, waypoint] },
        gives: 'waypoint 10.0.0.9:15008 for 10.96.0.1:80 as waypoint',
      },
      {
        title: 'are found by address of a workload',
        to: '10.96.0.1:80',
        mesh: { services: [{ ...ledger, waypoint: canaryGateway }], workloads: [canary] },
        gives: 'waypoint 10.0.0.8:15008 for 10.96.0.1:80 as canary',
      },
      {
        title: 'are found by hostname of a workload',
        to: '10.96.0.1:80',
        mesh: {
          services: [{ ...ledger, waypoint: { ...byHostname, hostname: 'wp.example' } }],
          workloads: [{ ...canary, hostname: 'wp.example' }],
        },
        gives: 'waypoint 10.0.0.8:15008 for 10.96.0.1:80 as canary',
      },
      {
        title: 'are looked up when their workload has a name and no address',
        to: '10.96.0.1:80',
        mesh: {
          services: [{ ...ledger, waypoint: { ...byHostname, hostname: 'wp.example' } }],
          workloads: [{ ...canary, hostname: 'wp.example', addresses: [] }],
        },
        gives: 'look up wp.example, IPv4 first',
      },
      {
        title: 'map their port through their service',
        to: '10.96.0.1:80',
        mesh: {
          services: [behind, { ...waypoint, ports: [{ servicePort: 15008, targetPort: 25008, appProtocol: 'UNKNOWN' }] }],
          workloads: [{ ...waypointPod, services: new Map([[waypoint.key, []]]) }],
        },
        gives: 'waypoint 10.0.0.9:25008 for 10.96.0.1:80 as waypoint',
      },
      {
        title: 'need no declared port where their workload has an application tunnel',
        to: '10.96.0.1:80',
        mesh: {
          services: [behind, { ...waypoint, ports: [] }],
          workloads: [
            { ...waypointPod, services: new Map([[waypoint.key, []]]), applicationTunnel: { protocol: 'PROXY', port: 15088 } },
          ],
        },
        gives: 'waypoint 10.0.0.9:15008 for 10.96.0.1:80 as waypoint',
      },
      {
        title: 'may answer with a name of the waypoint’s service, not of the destination’s',
        to: '10.96.0.1:80',
        mesh: {
          services: [
            { ...behind, subjectAltNames: [identity('bank', 'never')] },
            { ...waypoint, subjectAltNames: [identity('bank', 'gateway')] },
          ],
          workloads: [waypointPod],
        },
        gives: 'waypoint 10.0.0.9:15008 for 10.96.0.1:80 as waypoint|gateway',
      },
      {
        title: 'are drawn by weight: the heavy one',
        to: '10.96.0.1:80',
        mesh: weightedMesh,
        setting: { units: [0.89] },
        gives: 'waypoint 10.0.0.9:15008 for 10.96.0.1:80 as waypoint',
      },
      {
        title: 'are drawn by weight: the canary',
        to: '10.96.0.1:80',
        mesh: weightedMesh,
        setting: { units: [0.91] },
        gives: 'waypoint 10.0.0.8:15008 for 10.96.0.1:80 as canary',
      },
      {
        title: 'are not made up for by another one when the drawn one is gone',
        to: '10.96.0.1:80',
        mesh: { ...weightedMesh, workloads: [waypointPod] },
        setting: { units: [0.91] },
        gives: 'refused waypoint-unavailable',
      },
      {
        title: 'refuse when every weight is 0',
        to: '10.96.0.1:80',
        mesh: {
          services: [{ ...ledger, weightedWaypoints: [{ destination: byHostname, weight: 0 }] }, waypoint],
          workloads: [ledgerPod, waypointPod],
        },
        gives: 'refused waypoint-unavailable',
      },
      {
        title: 'are never bypassed when nothing is known at their address',
        to: '10.96.0.1:80',
        mesh: { ...mesh, services: [{ ...ledger, waypoint: lost }] },
        gives: 'refused waypoint-unavailable',
      },
      {
        title: 'are never bypassed when their service has no endpoint',
        to: '10.96.0.1:80',
        mesh: { services: [behind, waypoint], workloads: [ledgerPod] },
        gives: 'refused waypoint-unavailable',
      },
      {
        title: 'are never bypassed when no endpoint of theirs is healthy',
        to: '10.96.0.1:80',
        mesh: { services: [behind, waypoint], workloads: [ledgerPod, { ...waypointPod, status: 'UNHEALTHY' }] },
        gives: 'refused waypoint-unavailable',
      },
      {
        title: 'are never bypassed when their workload is not ready',
        to: '10.96.0.1:80',
        mesh: { services: [{ ...ledger, waypoint: canaryGateway }], workloads: [ledgerPod, { ...canary, status: 'UNHEALTHY' }] },
        gives: 'refused waypoint-unavailable',
      },
      {
        title: 'are never bypassed for lack of a port',
        to: '10.96.0.1:80',
        mesh: { ...mesh, services: [{ ...ledger, waypoint: { ...byAddress, hboneMtlsPort: 0 } }, waypoint] },
        gives: 'refused waypoint-unavailable',
      },
      {
        title: 'hold for a service whose address is also its endpoint’s',
        to: '10.0.0.2:80',
        mesh: {
          services: [{ ...behind, addresses: [{ network: '', ip: ip('10.0.0.2') }] }, waypoint],
          workloads: [ledgerPod, waypointPod],
        },
        gives: 'waypoint 10.0.0.9:15008 for 10.0.0.2:80 as waypoint',
      },
    ]);

    it('keep the service asked for in telemetry, and name the waypoint’s workload', () => {
      const found = route('10.96.0.1:80', mesh);
      expect([found.service?.name, found.destination?.name]).to.deep.equal(['ledger', 'waypoint-0']);
    });

    it('say in the refusal which waypoint is missing', () => {
      const found = route('10.96.0.1:80', { services: [{ ...ledger, waypoint: lost }] });
      expect(found).to.have.property(
        'detail',
        'waypoint /10.98.77.77:15008 is not available: no workload or service is known there',
      );
    });
  });

  describe('workload waypoints (step 6)', () => {
    const behind = { ...ledgerPod, waypoint: byAddress };
    const mesh = { services: [ledger, waypoint], workloads: [behind, waypointPod] };
    cases([
      {
        title: 'take calls to the pod’s address',
        to: '10.0.0.2:8080',
        mesh,
        gives: 'waypoint 10.0.0.9:15008 for 10.0.0.2:8080 as waypoint',
      },
      {
        title: 'do not take calls to its service',
        to: '10.96.0.1:80',
        mesh,
        gives: 'direct 10.0.0.2:15008 for 10.0.0.2:8080 as ledger',
      },
      {
        title: 'are never bypassed',
        to: '10.0.0.2:8080',
        mesh: { workloads: [{ ...behind, waypoint: lost }] },
        gives: 'refused waypoint-unavailable',
      },
      {
        title: 'hold for a pod without HBONE too',
        to: '10.0.0.2:8080',
        mesh: { ...mesh, workloads: [{ ...behind, tunnelProtocol: 'NONE' }, waypointPod] },
        gives: 'waypoint 10.0.0.9:15008 for 10.0.0.2:8080 as waypoint',
      },
      {
        title: 'let their own traffic through',
        to: '10.0.0.2:8080',
        mesh,
        setting: { source: waypointPod },
        gives: 'direct 10.0.0.2:15008 for 10.0.0.2:8080 as ledger',
      },
      {
        title: 'let their own traffic through when named by hostname',
        to: '10.0.0.2:8080',
        mesh: { ...mesh, workloads: [{ ...behind, waypoint: byHostname }, waypointPod] },
        setting: { source: waypointPod },
        gives: 'direct 10.0.0.2:15008 for 10.0.0.2:8080 as ledger',
      },
      {
        title: 'do not let a pod through that has the waypoint’s account and another address',
        to: '10.0.0.2:8080',
        mesh,
        setting: { source: workload({ name: 'impostor', serviceAccount: 'waypoint', addresses: ['10.0.0.66'] }) },
        gives: 'waypoint 10.0.0.9:15008 for 10.0.0.2:8080 as waypoint',
      },
    ]);
  });
});
