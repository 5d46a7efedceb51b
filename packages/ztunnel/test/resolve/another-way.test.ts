import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { Workload } from '@clearmesh/shared/model/workload';
import { identity, socketAddress } from '@clearmesh/shared/testing/builders';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { snapshotOf } from '@clearmesh/shared/testing/pushes';
import { anotherWay } from '../../src/resolve/outbound.ts';
import type { NestedRoute } from '../../src/resolve/route.ts';
import { byAddress, byName, gatePod, gatewayAt, gatewayService, global, host, remote, vip } from './network-cases.ts';
import { byHostname, client, ledgerPod, line, route, waypoint, waypointPod } from './outbound-cases.ts';

describe('another way into another network', () => {
  const captured = { source: client, client: socketAddress('10.0.0.1:40000'), originalDestination: socketAddress(vip) };
  const objects = (workloads: readonly Workload[]) => ({
    services: [global, gatewayService],
    workloads: [client, ...workloads],
  });

  function another(workloads: readonly Workload[], tried: readonly Workload[]): string {
    const first = route(vip, objects(workloads), { units: [0, 0] });
    if (first.kind !== 'nested') throw new Error(line(first));
    const exclude = new Set(tried.map(({ uid }) => uid));
    const context = { captured, snapshot: snapshotOf(objects(workloads)), random: new FakeRandom([0, 0]), exclude };
    const next = anotherWay(first, context);
    return next === undefined ? 'none' : line(next);
  }

  it('is by another workload of the same gateway', () => {
    expect(another([remote(byName), gatePod(1), gatePod(2)], [gatePod(1)])).to.equal(
      `direct 10.0.9.2:15008 as gate|gate-named, in it ${host} as ledger`,
    );
  });

  it('is by the gateway of another endpoint', () => {
    const workloads = [remote(byName), gatePod(1), remote(byAddress('5.6.7.8', 'north'), 'north'), gatewayAt('5.6.7.8', 'north')];
    expect(another(workloads, [gatePod(1)])).to.equal(`direct 5.6.7.8:15008 as gate-north, in it ${host} as ledger`);
  });

  it('is none when every gateway was tried', () => {
    expect(another([remote(byName), gatePod(1)], [gatePod(1)])).to.equal('none');
    expect(another([remote(byAddress('1.2.3.4')), gatewayAt('1.2.3.4')], [gatewayAt('1.2.3.4')])).to.equal('none');
  });

  it('is none for a direct tunnel', () => {
    const tunnel = route('10.0.0.2:8080', objects([ledgerPod]));
    if (tunnel.kind !== 'tunnel') throw new Error(line(tunnel));
    expect(anotherWay(tunnel, { captured, snapshot: snapshotOf(objects([])), random: new FakeRandom() })).to.equal(undefined);
  });

  it('stays with the waypoint that was drawn', () => {
    const mesh = {
      services: [
        { ...global, waypoint: byHostname },
        { ...waypoint, subjectAltNames: [identity('bank', 'waypoint')] },
        gatewayService,
      ],
      workloads: [client, { ...waypointPod, network: 'west', networkGateway: byName }, gatePod(1), gatePod(2)],
    };
    const first = route(vip, mesh, { units: [0, 0] }) as NestedRoute;
    const exclude = new Set([first.networkGateway.uid]);
    const next = anotherWay(first, { captured, snapshot: snapshotOf(mesh), random: new FakeRandom([0, 0]), exclude });
    expect(next && line(next)).to.equal(`waypoint 10.0.9.2:15008 as gate|gate-named, in it ${host} as waypoint`);
  });
});
