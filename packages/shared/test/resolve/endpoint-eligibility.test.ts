import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { ipFamily } from '../../src/model/ip-address.ts';
import type { LoadBalancing, LoadBalancingMode, LoadBalancingScope, Service } from '../../src/model/service.ts';
import { service, socketAddress, workload } from '../../src/testing/builders.ts';
import { FakeRandom } from '../../src/testing/fake-random.ts';
import { chooseEndpoint } from '../../src/resolve/endpoint.ts';
import { snapshotOf } from '../../src/testing/pushes.ts';

const key = 'bank/server.bank.svc.cluster.local';
const client = workload({
  name: 'client',
  node: 'node-a',
  locality: { region: 'eu', zone: 'eu-a', subzone: 's1' },
  network: 'n',
});

describe('chooseEndpoint for any service and endpoints', () => {
  it('never chooses an endpoint that is not eligible', () => {
    const scope = fc.constantFrom<LoadBalancingScope>('REGION', 'ZONE', 'SUBZONE', 'NODE', 'CLUSTER', 'NETWORK');
    const anyService = fc.record({
      ports: fc.constantFrom({ 80: 8080 }, { 80: 0 }, { 81: 8081 }),
      ipFamilies: fc.constantFrom<Service['ipFamilies']>('AUTOMATIC', 'IPV4_ONLY', 'IPV6_ONLY', 'DUAL'),
      loadBalancing: fc.record({
        mode: fc.constantFrom<LoadBalancingMode>('UNSPECIFIED', 'STRICT', 'FAILOVER'),
        healthPolicy: fc.constantFrom<LoadBalancing['healthPolicy']>('ONLY_HEALTHY', 'ALLOW_ALL'),
        routingPreference: fc.uniqueArray(scope, { maxLength: 4 }),
      }),
    });
    const anyEndpoint = fc.record({
      addresses: fc.subarray(['10.1.0.1', 'fd00::1']),
      hostname: fc.constantFrom('', 'x.example'),
      status: fc.constantFrom('HEALTHY' as const, 'UNHEALTHY' as const),
      capacity: fc.nat(2),
      network: fc.constantFrom('n', 'w'),
      node: fc.constantFrom('node-a', 'node-b'),
      locality: fc.record({
        region: fc.constantFrom('eu', 'us'),
        zone: fc.constantFrom('eu-a', 'us-a'),
        subzone: fc.constantFrom('s1', 's2'),
      }),
      services: fc.constantFrom({ [key]: {} }, { [key]: { 80: 9090 } }, { [key]: { 81: 9091 } }, { 'bank/other': { 80: 1 } }),
    });
    fc.assert(
      fc.property(
        anyService,
        fc.array(anyEndpoint, { maxLength: 6 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (spec, endpoints, unit) => {
          const target = service(spec);
          const workloads = endpoints.map((own, at) => workload({ name: `e${at}`, ...own }));
          const chosen = chooseEndpoint(
            snapshotOf({ services: [target], workloads }),
            client,
            target,
            socketAddress('10.96.0.1:80'),
            'standard',
            new FakeRandom([unit]),
          );
          if (chosen === undefined) return;
          const { workload: picked, targetPort, reach } = chosen;
          expect(picked.services.has(target.key) && picked.capacity > 0 && targetPort > 0).to.equal(true);
          expect(target.ports.some(({ servicePort }) => servicePort === 80)).to.equal(true);
          expect(picked.status === 'HEALTHY' || spec.loadBalancing.healthPolicy === 'ALLOW_ALL').to.equal(true);
          if (reach.kind === 'gateway') expect(picked.networkGateway).to.not.equal(undefined);
          if (reach.kind === 'address') {
            expect(picked.addresses).to.include(reach.ip);
            if (spec.ipFamilies === 'IPV4_ONLY') expect(ipFamily(reach.ip)).to.equal(4);
            if (spec.ipFamilies === 'IPV6_ONLY') expect(ipFamily(reach.ip)).to.equal(6);
          }
          if (spec.loadBalancing.mode === 'STRICT' && spec.loadBalancing.routingPreference.includes('NODE'))
            expect(picked.node).to.equal('node-a');
        },
      ),
      { numRuns: 300 },
    );
  });
});
