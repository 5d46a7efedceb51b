import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import type { Workload } from '@clearmesh/shared/model/workload';
import { ip, socketAddress, workload } from '@clearmesh/shared/testing/builders';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { snapshotOf } from '@clearmesh/shared/testing/pushes';
import type { MeshObjects } from '@clearmesh/shared/testing/pushes';
import { anotherWaypoint } from '../../src/resolve/via-waypoint.ts';
import { byHostname, client, ledger, ledgerPod, line, route, waypoint, waypointPod } from './outbound-cases.ts';

describe('another workload of the same waypoint', () => {
  const second = { ...waypointPod, ...nameOf('waypoint-1'), addresses: [ip('10.0.0.7')] };
  const third = { ...waypointPod, ...nameOf('waypoint-2'), addresses: [ip('10.0.0.6')] };
  const canary = workload({ name: 'canary', addresses: ['10.0.0.8'], serviceAccount: 'canary' });
  const canaryGateway: GatewayAddress = { kind: 'address', address: { network: '', ip: ip('10.0.0.8') }, hboneMtlsPort: 15008 };
  const behind = { ...ledger, waypoint: byHostname };
  const table: readonly {
    title: string;
    to?: string;
    mesh: MeshObjects;
    units?: number[];
    tried: readonly Workload[];
    gives: string;
  }[] = [
    {
      title: 'is the one that was not tried',
      mesh: { services: [behind, waypoint], workloads: [waypointPod, second] },
      tried: [waypointPod],
      gives: 'waypoint 10.0.0.7:15008 for 10.96.0.1:80 as waypoint',
    },
    {
      title: 'is the last one left',
      mesh: { services: [behind, waypoint], workloads: [waypointPod, second, third] },
      tried: [waypointPod, second],
      gives: 'waypoint 10.0.0.6:15008 for 10.96.0.1:80 as waypoint',
    },
    {
      title: 'is nobody when all were tried',
      mesh: { services: [behind, waypoint], workloads: [waypointPod, second] },
      tried: [waypointPod, second],
      gives: 'none',
    },
    {
      title: 'is nobody for a waypoint that is one workload',
      mesh: { services: [{ ...ledger, waypoint: canaryGateway }], workloads: [canary] },
      tried: [canary],
      gives: 'none',
    },
    {
      title: 'is not one of the canary’s other waypoint',
      mesh: {
        services: [
          {
            ...behind,
            weightedWaypoints: [
              { destination: byHostname, weight: 10 },
              { destination: canaryGateway, weight: 90 },
            ],
          },
          waypoint,
        ],
        workloads: [waypointPod, canary],
      },
      units: [0],
      tried: [waypointPod],
      gives: 'none',
    },
    {
      title: 'takes calls to a bound workload too',
      to: '10.0.0.2:8080',
      mesh: {
        services: [waypoint],
        workloads: [{ ...ledgerPod, services: new Map(), waypoint: byHostname }, waypointPod, second],
      },
      tried: [waypointPod],
      gives: 'waypoint 10.0.0.7:15008 for 10.0.0.2:8080 as waypoint',
    },
    {
      title: 'is nobody for a direct tunnel',
      to: '10.0.0.2:8080',
      mesh: { services: [waypoint], workloads: [ledgerPod, waypointPod, second] },
      tried: [ledgerPod],
      gives: 'none',
    },
  ];
  for (const { title, to = '10.96.0.1:80', mesh, units = [0], tried, gives } of table) {
    it(title, () => {
      const drawn = route(to, mesh, { units });
      if (drawn.kind !== 'tunnel') throw new Error(`drawn: ${line(drawn)}`);
      const captured = { source: client, client: socketAddress('10.0.0.1:40000'), originalDestination: socketAddress(to) };
      const snapshot = snapshotOf({ ...mesh, workloads: [client, ...(mesh.workloads ?? [])] });
      const exclude = new Set(tried.map(({ uid }) => uid));
      const next = anotherWaypoint(drawn, { captured, snapshot, random: new FakeRandom([0]), exclude });
      expect(next === undefined ? 'none' : line(next)).to.equal(gives);
      if (next !== undefined) expect(next.service).to.equal(drawn.service);
    });
  }
});

function nameOf(name: string): Pick<Workload, 'uid' | 'name'> {
  const { uid } = workload({ name });
  return { uid, name };
}
