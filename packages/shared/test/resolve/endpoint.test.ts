import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { LoadBalancing, LoadBalancingMode, LoadBalancingScope, Service } from '../../src/model/service.ts';
import type { Workload } from '../../src/model/workload.ts';
import { ip, service, socketAddress, workload } from '../../src/testing/builders.ts';
import type { ServiceSpec, WorkloadSpec } from '../../src/testing/builders.ts';
import { FakeRandom } from '../../src/testing/fake-random.ts';
import { chooseEndpoint, targetPortAt } from '../../src/resolve/endpoint.ts';
import type { ResolutionMode } from '../../src/resolve/endpoint.ts';
import { snapshotOf } from '../../src/testing/pushes.ts';

const key = 'bank/server.bank.svc.cluster.local';
const here = { region: 'eu', zone: 'eu-a', subzone: 's1' };
const client = workload({ name: 'client', node: 'node-a', locality: here, network: 'n' });

function endpoint(name: string, spec: WorkloadSpec = {}): Workload {
  const number = name.charCodeAt(0);
  return workload({ name, addresses: [`10.1.0.${number}`], node: 'node-b', network: 'n', services: { [key]: {} }, ...spec });
}

function balanced(
  mode: LoadBalancingMode,
  ...routingPreference: readonly LoadBalancingScope[]
): { loadBalancing: LoadBalancing } {
  return { loadBalancing: { mode, routingPreference, healthPolicy: 'ONLY_HEALTHY' } };
}

/** Names of the workloads that 200 evenly spread draws choose, with how often. */
function spread(
  spec: ServiceSpec,
  workloads: readonly Workload[],
  to = '10.96.0.1:80',
  mode: ResolutionMode = 'standard',
): Readonly<Record<string, number>> {
  const target: Service = service(spec);
  const snapshot = snapshotOf({ services: [target], workloads });
  const counts: Record<string, number> = {};
  for (let draw = 0; draw < 200; draw++) {
    const chosen = chooseEndpoint(snapshot, client, target, socketAddress(to), mode, new FakeRandom([draw / 200]));
    const name = chosen?.workload.name ?? 'none';
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

describe('chooseEndpoint (section 7.2)', () => {
  const [near, far] = [
    endpoint('a', { locality: here }),
    endpoint('b', { locality: { region: 'us', zone: 'us-a', subzone: 's1' } }),
  ];

  describe('without load balancing', () => {
    it('gives each endpoint its share', () => {
      expect(spread({}, [near, far])).to.deep.equal({ a: 100, b: 100 });
    });

    it('weighs by capacity and never picks 0', () => {
      expect(spread({}, [endpoint('a', { capacity: 9 }), endpoint('b'), endpoint('c', { capacity: 0 })])).to.deep.equal({
        a: 180,
        b: 20,
      });
      expect(spread({}, [endpoint('a', { capacity: 0 })])).to.deep.equal({ none: 200 });
    });

    it('treats an unspecified mode alike, whatever it prefers', () => {
      expect(spread(balanced('UNSPECIFIED', 'REGION'), [near, far])).to.deep.equal({ a: 100, b: 100 });
    });
  });

  describe('health', () => {
    const workloads = [endpoint('a'), endpoint('b', { status: 'UNHEALTHY' })];

    it('leaves an unhealthy endpoint out', () => {
      expect(spread({}, workloads)).to.deep.equal({ a: 200 });
      expect(spread({}, workloads.slice(1))).to.deep.equal({ none: 200 });
    });

    it('includes it under ALLOW_ALL', () => {
      expect(
        spread({ loadBalancing: { mode: 'UNSPECIFIED', routingPreference: [], healthPolicy: 'ALLOW_ALL' } }, workloads),
      ).to.deep.equal({ a: 100, b: 100 });
    });
  });

  describe('FAILOVER', () => {
    const sameNode = endpoint('c', { locality: { region: 'us', zone: 'eu-a', subzone: 's1' }, node: 'node-a' });
    const table: readonly {
      title: string;
      prefers: readonly LoadBalancingScope[];
      among: readonly Workload[];
      gives: Readonly<Record<string, number>>;
    }[] = [
      { title: 'prefers the own region', prefers: ['REGION'], among: [near, far], gives: { a: 200 } },
      {
        title: 'falls back when the near one is unhealthy',
        prefers: ['REGION'],
        among: [{ ...near, status: 'UNHEALTHY' }, far],
        gives: { b: 200 },
      },
      {
        title: 'falls back when the near one has no capacity',
        prefers: ['REGION'],
        among: [{ ...near, capacity: 0 }, far],
        gives: { b: 200 },
      },
      {
        title: 'does not count matches after a mismatch',
        prefers: ['REGION', 'NODE'],
        among: [far, sameNode],
        gives: { b: 100, c: 100 },
      },
      { title: 'compares the zone’s own string only', prefers: ['ZONE'], among: [far, sameNode], gives: { c: 200 } },
      { title: 'compares the subzone’s own string only', prefers: ['SUBZONE'], among: [near, far], gives: { a: 100, b: 100 } },
      { title: 'compares nodes', prefers: ['NODE'], among: [near, sameNode], gives: { c: 200 } },
      {
        title: 'compares clusters',
        prefers: ['CLUSTER'],
        among: [near, endpoint('d', { clusterId: 'west' })],
        gives: { a: 200 },
      },
      {
        title: 'counts the longest run of matches',
        prefers: ['REGION', 'ZONE', 'NODE'],
        among: [near, endpoint('d', { locality: { ...here, zone: 'eu-b' } })],
        gives: { a: 200 },
      },
      { title: 'takes all when none matches', prefers: ['REGION'], among: [far, sameNode], gives: { b: 100, c: 100 } },
      { title: 'prefers nothing with no preference', prefers: [], among: [near, far], gives: { a: 100, b: 100 } },
      {
        title: 'goes on past a network that every endpoint shares',
        prefers: ['NETWORK', 'REGION', 'ZONE'],
        among: [near, far],
        gives: { a: 200 },
      },
    ];
    for (const { title, prefers, among, gives } of table) {
      it(title, () => expect(spread(balanced('FAILOVER', ...prefers), among)).to.deep.equal(gives));
    }

    it('ranks remote networks by the later scopes when NETWORK comes first', () => {
      const networkGateway = { kind: 'address', address: { network: 'w', ip: ip('1.2.3.4') }, hboneMtlsPort: 15008 } as const;
      const [remoteNear, remoteFar] = [
        { ...near, network: 'w', networkGateway },
        { ...far, network: 'w', networkGateway },
      ];
      expect(spread(balanced('FAILOVER', 'NETWORK', 'REGION'), [remoteNear, remoteFar])).to.deep.equal({ a: 200 });
      expect(spread(balanced('FAILOVER', 'REGION', 'NETWORK'), [remoteNear, far])).to.deep.equal({ b: 200 });
    });
  });

  describe('STRICT', () => {
    it('takes only endpoints that match every scope', () => {
      expect(spread(balanced('STRICT', 'REGION'), [near, far])).to.deep.equal({ a: 200 });
      expect(spread(balanced('STRICT', 'NODE', 'REGION'), [near, far])).to.deep.equal({ none: 200 });
    });
  });

  describe('ports', () => {
    const table: readonly {
      title: string;
      service: ServiceSpec;
      endpoint: WorkloadSpec;
      port?: number;
      mode?: ResolutionMode;
      gives: number | undefined;
    }[] = [
      { title: 'the service’s target port', service: { ports: { 80: 8080 } }, endpoint: {}, gives: 8080 },
      {
        title: 'the endpoint’s own mapping first',
        service: { ports: { 80: 8080 } },
        endpoint: { services: { [key]: { 80: 9090 } } },
        gives: 9090,
      },
      {
        title: 'a named port the endpoint maps',
        service: { ports: { 80: 0 } },
        endpoint: { services: { [key]: { 80: 9090 } } },
        gives: 9090,
      },
      { title: 'no named port the endpoint does not map', service: { ports: { 80: 0 } }, endpoint: {}, gives: undefined },
      {
        title: 'no named port the endpoint maps to 0',
        service: { ports: { 80: 0 } },
        endpoint: { services: { [key]: { 80: 0 } } },
        gives: undefined,
      },
      {
        title: 'no port the service does not define, mapped or not',
        service: { ports: { 80: 8080 } },
        endpoint: { services: { [key]: { 81: 1 } } },
        port: 81,
        gives: undefined,
      },
      {
        title: 'a named port behind an application tunnel with a port',
        service: { ports: { 80: 0 } },
        endpoint: { applicationTunnel: { protocol: 'PROXY', port: 15088 } },
        gives: 80,
      },
      {
        title: 'no named port behind an application tunnel without one',
        service: { ports: { 80: 0 } },
        endpoint: { applicationTunnel: { protocol: 'PROXY', port: 0 } },
        gives: undefined,
      },
      {
        title: 'any port of a waypoint with an application tunnel',
        service: { ports: {} },
        endpoint: { applicationTunnel: { protocol: 'PROXY', port: 15088 } },
        port: 15008,
        mode: 'waypoint',
        gives: 15008,
      },
      {
        title: 'no undeclared port of a waypoint without one',
        service: { ports: {} },
        endpoint: {},
        port: 15008,
        mode: 'waypoint',
        gives: undefined,
      },
      {
        title: 'the mapped port of a waypoint',
        service: { ports: { 15008: 0 } },
        endpoint: { services: { [key]: { 15008: 25008 } } },
        port: 15008,
        mode: 'waypoint',
        gives: 25008,
      },
    ];
    for (const { title, service: spec, endpoint: own, port = 80, mode = 'standard', gives } of table) {
      it(`resolves ${title}`, () => {
        const target = service(spec);
        const snapshot = snapshotOf({ services: [target], workloads: [endpoint('a', own)] });
        expect(
          chooseEndpoint(snapshot, client, target, socketAddress(`10.96.0.1:${port}`), mode, new FakeRandom())?.targetPort,
        ).to.equal(gives);
      });
    }

    it('resolves no port of a service the workload and the service do not know', () => {
      expect(targetPortAt(service(), endpoint('a'), 81)).to.equal(undefined);
    });
  });

  describe('addresses', () => {
    const dual = ['10.1.0.1', 'fd00::1'];
    const table: readonly {
      title: string;
      families?: Service['ipFamilies'];
      addresses: readonly string[];
      to?: string;
      gives: string | undefined;
    }[] = [
      { title: 'prefers the family asked for: IPv4', addresses: dual, gives: '10.1.0.1' },
      { title: 'prefers the family asked for: IPv6', addresses: dual, to: '[fd00::96]:80', gives: 'fd00::1' },
      { title: 'takes the other family rather than none', addresses: ['fd00::1'], gives: 'fd00::1' },
      { title: 'keeps to IPv6 where the service does', families: 'IPV6_ONLY', addresses: dual, gives: 'fd00::1' },
      {
        title: 'keeps to IPv4 where the service does',
        families: 'IPV4_ONLY',
        addresses: dual,
        to: '[fd00::96]:80',
        gives: '10.1.0.1',
      },
      {
        title: 'leaves out an endpoint without a permitted address',
        families: 'IPV6_ONLY',
        addresses: ['10.1.0.1'],
        gives: undefined,
      },
      { title: 'takes either for DUAL', families: 'DUAL', addresses: ['fd00::1'], gives: 'fd00::1' },
      {
        title: 'keeps the requested address where the workload owns it',
        addresses: ['10.1.0.1', '10.96.0.1'],
        gives: '10.96.0.1',
      },
    ];
    for (const { title, families, addresses, to = '10.96.0.1:80', gives } of table) {
      it(title, () => {
        const target = service(families === undefined ? {} : { ipFamilies: families });
        const chosen = chooseEndpoint(
          snapshotOf({ workloads: [endpoint('a', { addresses })] }),
          client,
          target,
          socketAddress(to),
          'standard',
          new FakeRandom(),
        );
        expect(chosen?.reach.kind === 'address' ? chosen.reach.ip : chosen?.reach.kind).to.equal(gives);
      });
    }

    it('leaves out who is excluded, and takes the next best for it', () => {
      const near = { ...endpoint('near'), locality: { region: 'eu', zone: '', subzone: '' } };
      const target = service({
        loadBalancing: { mode: 'FAILOVER', routingPreference: ['REGION'], healthPolicy: 'ONLY_HEALTHY' },
      });
      const snapshot = snapshotOf({ workloads: [near, endpoint('far')] });
      const source = { ...client, locality: near.locality };
      const chosen = (exclude: readonly string[]) =>
        chooseEndpoint(snapshot, source, target, socketAddress('10.96.0.1:80'), 'standard', new FakeRandom(), {
          exclude: new Set([near, endpoint('far')].filter(({ name }) => exclude.includes(name)).map(({ uid }) => uid)),
        })?.workload.name;
      expect([chosen([]), chosen(['near']), chosen(['near', 'far'])]).to.deep.equal(['near', 'far', undefined]);
    });

    it('leaves out a workload without address and name', () => {
      expect(spread({}, [endpoint('a', { addresses: [] })])).to.deep.equal({ none: 200 });
    });
  });
});
