import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import type { WorkloadUid } from '@clearmesh/shared/model/names';
import type { Service } from '@clearmesh/shared/model/service';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { service, socketAddress, workload } from '@clearmesh/shared/testing/builders';
import type { WorkloadSpec } from '@clearmesh/shared/testing/builders';
import { snapshotOf } from '@clearmesh/shared/testing/pushes';
import { anotherEndpoint, isEndpoint } from '../../src/resolve/another-endpoint.ts';
import { resolveOutbound } from '../../src/resolve/outbound.ts';
import type { Captured, PassthroughRoute, Route, TunnelRoute } from '../../src/resolve/route.ts';
import { byAddress, gatewayAt, global, remote } from './network-cases.ts';
import { client as payer, ledgerPod, line } from './outbound-cases.ts';

const client = workload({ name: 'client', addresses: ['10.0.0.1'] });
const ledger = service({ name: 'ledger', addresses: ['10.96.0.1'], endpointChoice: { leastRequest: false, connectAttempts: 3 } });
const gate = { kind: 'hostname', namespace: 'bank', hostname: 'gate.bank', hboneMtlsPort: 15008 } as const;
const captured: Captured = {
  source: client,
  client: socketAddress('10.0.0.1:4000'),
  originalDestination: socketAddress('10.96.0.1:80'),
};

function endpoint(at: number, spec: WorkloadSpec = {}) {
  return workload({ name: `ledger-${at}`, addresses: [`10.0.1.${at}`], services: { [ledger.key]: {} }, ...spec });
}

function tried(...workloads: readonly { readonly uid: WorkloadUid }[]): ReadonlySet<WorkloadUid> {
  return new Set(workloads.map(({ uid }) => uid));
}

function firstOf(route: Route): TunnelRoute | PassthroughRoute {
  if (route.kind !== 'tunnel' && route.kind !== 'passthrough') throw new Error(JSON.stringify(route));
  return route;
}

describe('another endpoint for a connection that the first did not take', () => {
  const [one, two, plain] = [endpoint(1), endpoint(2), endpoint(3, { tunnelProtocol: 'NONE' })];
  const snapshot = snapshotOf({ services: [ledger], workloads: [one, two, plain] });
  const first = firstOf(resolveOutbound(captured, snapshot, new FakeRandom([0]), { exclude: tried(two, plain) }));

  it('is one of its service that was not tried, by a tunnel or in plain TCP', () => {
    const next = (...done: readonly { readonly uid: WorkloadUid }[]) =>
      anotherEndpoint(first, captured, snapshot, new FakeRandom([0]), { exclude: tried(...done) });
    expect(next(one, plain)).to.deep.include({ kind: 'tunnel', destination: two, peer: socketAddress('10.0.1.2:15008') });
    expect(next(one, two)).to.deep.include({ kind: 'passthrough', destination: plain });
  });

  it('is none once so many were tried as the service asks for, or all', () => {
    const of = (given: Service, ...done: readonly { readonly uid: WorkloadUid }[]) =>
      anotherEndpoint({ ...first, service: given }, captured, snapshot, new FakeRandom([0]), { exclude: tried(...done) });
    const { endpointChoice: _none, ...silent } = ledger;
    expect([of(silent, one), of(ledger, one, two, plain)]).to.deep.equal([undefined, undefined]);
    expect(of({ ...ledger, endpointChoice: { leastRequest: true, connectAttempts: 5 } }, one, two, plain)).to.equal(undefined);
  });

  it('is none where the connection meant no service, or the mesh names a waypoint by now', () => {
    const { service: _service, ...direct } = first;
    expect(anotherEndpoint(direct, captured, snapshot, new FakeRandom([0]), { exclude: tried(one) })).to.equal(undefined);
    const behind = snapshotOf({ services: [{ ...ledger, waypoint: gate }], workloads: [one, two] });
    expect(anotherEndpoint(first, captured, behind, new FakeRandom([0]), { exclude: tried(one) })).to.equal(undefined);
  });

  it('is none for a way through a waypoint', () => {
    const through: Route = { ...firstTunnel(first), via: 'waypoint', gateway: gate };
    expect([isEndpoint(first), isEndpoint(through)]).to.deep.equal([true, false]);
  });

  it('is in another network once nobody near is left, and in a third one once that did not take it', () => {
    const called = { ...global, endpointChoice: { leastRequest: true, connectAttempts: 3 } };
    const [west, north] = [remote(byAddress('1.2.3.4')), remote(byAddress('5.6.7.8', 'north'), 'north')];
    const gates = [gatewayAt('1.2.3.4'), gatewayAt('5.6.7.8', 'north')];
    const mesh = snapshotOf({ services: [called], workloads: [payer, ledgerPod, west, north, ...gates] });
    const calling = { ...captured, source: payer };
    const near = firstOf(resolveOutbound(calling, mesh, new FakeRandom([0])));
    const far = anotherEndpoint(near, calling, mesh, new FakeRandom([0]), { exclude: tried(ledgerPod) });
    if (far?.kind !== 'nested') throw new Error(far && line(far));
    const farther = anotherEndpoint(far, calling, mesh, new FakeRandom([0]), { exclude: tried(ledgerPod, west) });
    expect([near.destination, far.destination, farther?.destination]).to.deep.equal([ledgerPod, west, north]);
    expect([isEndpoint(far), isEndpoint({ ...far, via: 'waypoint', gateway: gate })]).to.deep.equal([true, false]);
  });

  it('is never one that was tried, and a connection never has more than it may, whatever there is', () => {
    const any = fc.record({
      tunnelProtocol: fc.constantFrom('HBONE' as const, 'NONE' as const),
      status: fc.constantFrom('HEALTHY' as const, 'UNHEALTHY' as const),
      capacity: fc.nat(2),
    });
    fc.assert(
      fc.property(
        fc.array(any, { maxLength: 7 }),
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.double({ min: 0, max: 0.99, noNaN: true }), { minLength: 1 }),
        (specs, connectAttempts, draws) => {
          const wanted = { ...ledger, endpointChoice: { leastRequest: true, connectAttempts } };
          const workloads = specs.map((spec, at) => endpoint(at + 1, spec));
          const mesh = snapshotOf({ services: [wanted], workloads });
          const eligible = specs.filter(({ status, capacity }) => status === 'HEALTHY' && capacity > 0).length;
          const random = new FakeRandom(draws);
          const loadOf = (uid: WorkloadUid): number => uid.length % 3;
          const seen = new Set<WorkloadUid>();
          let route: Route | undefined = resolveOutbound(captured, mesh, random, { loadOf });
          while (route !== undefined && route.kind !== 'refused') {
            const { destination } = route;
            expect(destination !== undefined && !seen.has(destination.uid)).to.equal(true);
            if (destination !== undefined) seen.add(destination.uid);
            route = anotherEndpoint(firstOf(route), captured, mesh, random, { exclude: seen, loadOf });
          }
          expect(seen.size).to.equal(Math.min(eligible, connectAttempts));
        },
      ),
    );
  });
});

function firstTunnel(route: TunnelRoute | PassthroughRoute): TunnelRoute {
  if (route.kind !== 'tunnel') throw new Error(route.kind);
  return route;
}
