import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { cidrContains, ipToBytes } from '../../src/model/ip-address.ts';
import type { IpAddress } from '../../src/model/ip-address.ts';
import type { Authorization } from '../../src/model/authorization.ts';
import { policyKey, serviceKey } from '../../src/model/names.ts';
import type { ServiceKey } from '../../src/model/names.ts';
import type { Service } from '../../src/model/service.ts';
import type { Workload } from '../../src/model/workload.ts';
import { authorization, ip, service, workload } from '../../src/testing/builders.ts';
import { isServiceBlock } from '../../src/snapshot/cidr-index.ts';
import type { Snapshot } from '../../src/snapshot/snapshot.ts';
import { addressPush, policyPush, storeOf } from '../../src/testing/pushes.ts';

/** The mesh as plain maps in order of arrival, asked by looking at everything. */
class NaiveMesh {
  readonly workloads = new Map<string, Workload>();
  readonly services = new Map<string, Service>();
  readonly policies = new Map<string, Authorization>();

  workloadByIp(network: string, address: IpAddress): Workload | undefined {
    const rank = (candidate: Workload): number =>
      (candidate.uid.includes('//Pod/') ? 2 : 0) + (candidate.tunnelProtocol === 'HBONE' ? 1 : 0);
    const found = [...this.workloads.values()].filter(
      (candidate) =>
        candidate.networkMode === 'STANDARD' && candidate.network === network && candidate.addresses.includes(address),
    );
    return found.reduce<Workload | undefined>(
      (best, next) => (best === undefined || rank(next) >= rank(best) ? next : best),
      undefined,
    );
  }

  endpoints(key: ServiceKey): readonly Workload[] {
    return [...this.workloads.values()].filter(({ services }) => services.has(key));
  }

  servicesByVip(network: string, address: IpAddress): readonly Service[] {
    return [...this.services.values()].filter(({ addresses }) =>
      addresses.some((vip) => !isServiceBlock(vip) && vip.network === network && vip.ip === address),
    );
  }

  servicesByCidr(network: string, address: IpAddress): readonly (readonly [string, number])[] {
    return [...this.services.values()].flatMap(({ key, addresses }) =>
      [
        ...new Set(
          addresses
            .filter(isServiceBlock)
            .filter(
              (vip) => vip.network === network && cidrContains({ bytes: ipToBytes(vip.ip), length: vip.prefixLength }, address),
            )
            .map(({ prefixLength }) => prefixLength),
        ),
      ].map((prefixLength) => [key, prefixLength] as const),
    );
  }

  policiesForNamespace(namespace: string): readonly string[] {
    return [...this.policies.values()]
      .filter(({ scope, namespace: own }) => scope === 'GLOBAL' || (scope === 'NAMESPACE' && own === namespace))
      .map(({ key }) => key);
  }
}

const addresses = ['10.0.0.1', '10.0.0.2', '10.0.1.1', 'fd00::1'];
const networks = ['', 'n'];
const hostnames = ['a.example', 'b.example'];
const namespaces = ['bank', 'core'];
const keys = namespaces.flatMap((namespace) => hostnames.map((hostname) => serviceKey(namespace, hostname)));

const anyWorkload: fc.Arbitrary<Workload> = fc
  .record({
    name: fc.constantFrom('a', 'b', 'c'),
    pod: fc.boolean(),
    addresses: fc.subarray(addresses),
    network: fc.constantFrom(...networks),
    hostname: fc.constantFrom('', ...hostnames),
    tunnelProtocol: fc.constantFrom('HBONE' as const, 'NONE' as const),
    networkMode: fc.constantFrom('STANDARD' as const, 'HOST_NETWORK' as const),
    serviceAccount: fc.constantFrom('one', 'two'),
    services: fc.subarray(keys),
  })
  .map(({ pod, services, ...spec }) =>
    workload({
      ...spec,
      ...(pod ? {} : { uid: `c/WorkloadEntry/${spec.name}` }),
      services: Object.fromEntries(services.map((key) => [key, { 80: 8080 }])),
    }),
  );

const anyService: fc.Arbitrary<Service> = fc
  .record({
    namespace: fc.constantFrom(...namespaces),
    hostname: fc.constantFrom(...hostnames),
    addresses: fc.subarray(['10.0.0.1', '10.0.0.2', 'n/10.0.0.1', '10.0.0.0/16', '10.0.0.0/24', 'n/10.0.0.0/8', 'fd00::/16']),
  })
  .map((spec) => service(spec));

const anyPolicy: fc.Arbitrary<Authorization> = fc
  .record({
    name: fc.constantFrom('p', 'q'),
    namespace: fc.constantFrom(...namespaces),
    scope: fc.constantFrom('GLOBAL' as const, 'NAMESPACE' as const, 'WORKLOAD_SELECTOR' as const),
  })
  .map((spec) => authorization(spec));

const anyRemoval = fc.constantFrom('Kubernetes//Pod/bank/a', 'Kubernetes//Pod/bank/b', 'c/WorkloadEntry/a', ...keys, 'unknown');

const anyPush = fc.oneof(
  fc.record({
    workloads: fc.array(anyWorkload, { maxLength: 3 }),
    services: fc.array(anyService, { maxLength: 3 }),
    removed: fc.array(anyRemoval, { maxLength: 2 }),
  }),
  fc.record({
    policies: fc.array(anyPolicy, { maxLength: 3 }),
    removed: fc.array(fc.constantFrom(policyKey('bank', 'p'), policyKey('core', 'q')), { maxLength: 1 }),
  }),
);

function expectEqual(snapshot: Snapshot, naive: NaiveMesh): void {
  expect([...snapshot.workloads]).to.deep.equal([...naive.workloads.values()]);
  expect([...snapshot.services]).to.deep.equal([...naive.services.values()]);
  expect([...snapshot.policies].map(({ key }) => key)).to.have.members([...naive.policies.keys()]);
  for (const network of networks) {
    for (const address of addresses.map(ip)) {
      expect(snapshot.workloadByIp(network, address)).to.deep.equal(naive.workloadByIp(network, address));
      expect(snapshot.servicesByVip(network, address)).to.deep.equal(naive.servicesByVip(network, address));
      const blocks = snapshot.servicesByCidr(network, address).map((match) => [match.service.key, match.prefixLength]);
      expect(blocks).to.have.deep.members([...naive.servicesByCidr(network, address)]);
    }
  }
  for (const key of keys) expect(snapshot.endpoints(key)).to.have.deep.members([...naive.endpoints(key)]);
  for (const hostname of hostnames) {
    expect(snapshot.servicesByHostname(hostname)).to.deep.equal(
      [...naive.services.values()].filter((known) => known.hostname === hostname),
    );
    expect(snapshot.workloadsByHostname(hostname)).to.deep.equal(
      [...naive.workloads.values()].filter((known) => known.hostname === hostname),
    );
  }
  for (const namespace of namespaces) {
    expect(snapshot.policiesForNamespace(namespace).map(({ key }) => key)).to.have.members([
      ...naive.policiesForNamespace(namespace),
    ]);
  }
}

describe('SnapshotStore against a naive rebuild', () => {
  it('answers every question alike after any sequence of pushes', () => {
    fc.assert(
      fc.property(fc.array(anyPush, { maxLength: 8 }), (pushes) => {
        const store = storeOf();
        const naive = new NaiveMesh();
        for (const push of pushes) {
          if ('policies' in push) {
            for (const name of push.removed) naive.policies.delete(name);
            for (const policy of push.policies) naive.policies.set(policy.key, policy);
            store.apply(policyPush(push, push.removed));
          } else {
            for (const name of push.removed) if (!naive.workloads.delete(name)) naive.services.delete(name);
            for (const known of push.services) naive.services.set(known.key, known);
            for (const known of push.workloads) naive.workloads.set(known.uid, known);
            store.apply(addressPush(push, push.removed));
          }
        }
        expectEqual(store.current, naive);
      }),
      { numRuns: 150 },
    );
  });
});
