/** Generated model values in normal form, for properties. */
import fc from 'fast-check';
import type { Authorization, Match, StringMatch } from '@clearmesh/shared/model/authorization';
import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import { ipFromBytes, ipToBytes } from '@clearmesh/shared/model/ip-address';
import type { Cidr, IpAddress } from '@clearmesh/shared/model/ip-address';
import { policyKey, serviceKey } from '@clearmesh/shared/model/names';
import type { PolicyKey, ServiceKey, WorkloadUid } from '@clearmesh/shared/model/names';
import { maxConnectAttempts } from '@clearmesh/shared/model/service';
import type { Service, ServiceAddress } from '@clearmesh/shared/model/service';
import type { PortMapping, Workload } from '@clearmesh/shared/model/workload';
import { spiffeId } from '@clearmesh/shared/identity/spiffe';
import type { PolicyFacts } from '@clearmesh/shared/policy/evaluate';

const text = fc.string({ maxLength: 12, unit: 'grapheme' });
const someText = fc.string({ minLength: 1, maxLength: 12, unit: 'grapheme' });
const label = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/);
const uint32 = fc.nat(0xffffffff);
export const port: fc.Arbitrary<number> = fc.nat(65_535);

/** Both families; a few bytes only, so that neighbours and blocks meet often. */
export const ipAddress: fc.Arbitrary<IpAddress> = fc
  .oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }), sparse(4), sparse(16))
  .map((bytes) => ipFromBytes(bytes)!);

function sparse(length: number): fc.Arbitrary<Uint8Array> {
  return fc
    .array(fc.constantFrom(0, 0, 0, 1, 128, 255), { minLength: length, maxLength: length })
    .map((bytes) => Uint8Array.from(bytes));
}

export const cidr: fc.Arbitrary<Cidr> = ipAddress.chain((ip) => {
  const bytes = ipToBytes(ip);
  return fc.nat(bytes.length * 8).map((length) => ({ bytes, length }));
});

const networkAddress = fc.record({ network: label, ip: ipAddress });

const gateway: fc.Arbitrary<GatewayAddress> = fc.oneof(
  fc.record({ kind: fc.constant('hostname' as const), namespace: label, hostname: label, hboneMtlsPort: port }),
  fc.record({ kind: fc.constant('address' as const), address: networkAddress, hboneMtlsPort: port }),
);

const key: fc.Arbitrary<ServiceKey> = fc.tuple(label, label).map(([namespace, hostname]) => serviceKey(namespace, hostname));
const mapping: fc.Arbitrary<PortMapping> = fc.record({ servicePort: port, targetPort: port }, { noNullPrototype: true });

export const workload: fc.Arbitrary<Workload> = fc.record(
  {
    uid: someText as fc.Arbitrary<WorkloadUid>,
    name: text,
    namespace: text,
    addresses: fc.array(ipAddress, { maxLength: 3 }),
    hostname: text,
    network: text,
    tunnelProtocol: fc.constantFrom('NONE', 'HBONE'),
    nativeTunnel: fc.boolean(),
    trustDomain: fc.oneof(fc.constant('cluster.local'), someText),
    serviceAccount: fc.oneof(fc.constant('default'), someText),
    node: text,
    clusterId: fc.oneof(fc.constant('Kubernetes'), someText),
    canonicalName: text,
    canonicalRevision: text,
    workloadType: fc.constantFrom('DEPLOYMENT', 'CRONJOB', 'POD', 'JOB'),
    workloadName: text,
    waypoint: gateway,
    networkGateway: gateway,
    applicationTunnel: fc.record({ protocol: fc.constantFrom('NONE', 'PROXY'), port }),
    authorizationPolicies: fc.array(text as fc.Arbitrary<PolicyKey>, { maxLength: 3 }),
    services: fc.array(fc.tuple(key, fc.array(mapping, { maxLength: 3 })), { maxLength: 3 }).map((entries) => new Map(entries)),
    status: fc.constantFrom('HEALTHY', 'UNHEALTHY'),
    locality: fc.record({ region: text, zone: text, subzone: text }),
    networkMode: fc.constantFrom('STANDARD', 'HOST_NETWORK'),
    capacity: uint32,
  },
  { requiredKeys: workloadKeys() },
);

function workloadKeys(): Exclude<keyof Workload, 'waypoint' | 'networkGateway' | 'applicationTunnel'>[] {
  return [
    ...([
      'uid',
      'name',
      'namespace',
      'addresses',
      'hostname',
      'network',
      'tunnelProtocol',
      'nativeTunnel',
      'trustDomain',
    ] as const),
    ...(['serviceAccount', 'node', 'clusterId', 'canonicalName', 'canonicalRevision', 'workloadType', 'workloadName'] as const),
    ...(['authorizationPolicies', 'services', 'status', 'locality', 'networkMode', 'capacity'] as const),
  ];
}

const serviceAddress: fc.Arbitrary<ServiceAddress> = fc.oneof(
  networkAddress,
  fc.tuple(networkAddress, fc.nat(127)).map(([address, length]) => {
    const bits = ipToBytes(address.ip).length * 8;
    return { ...address, prefixLength: length % bits };
  }),
);

const scope = fc.constantFrom('REGION', 'ZONE', 'SUBZONE', 'NODE', 'CLUSTER', 'NETWORK');

export const service: fc.Arbitrary<Service> = fc
  .record(
    {
      name: text,
      namespace: text,
      hostname: someText,
      addresses: fc.array(serviceAddress, { maxLength: 3 }),
      ports: fc.array(
        fc.record({
          servicePort: port,
          targetPort: port,
          appProtocol: fc.constantFrom('UNKNOWN', 'HTTP11', 'HTTP2', 'GRPC', 'TCP', 'TLS'),
        }),
        { maxLength: 3 },
      ),
      subjectAltNames: fc.array(
        fc.record({ trustDomain: label, namespace: label, serviceAccount: label }).map((parts) => spiffeId(parts)),
        { maxLength: 2 },
      ),
      waypoint: gateway,
      weightedWaypoints: fc.array(fc.record({ destination: gateway, weight: uint32 }), { maxLength: 2 }),
      loadBalancing: fc.record({
        routingPreference: fc.array(scope, { maxLength: 4 }),
        mode: fc.constantFrom('UNSPECIFIED', 'STRICT', 'FAILOVER', 'PASSTHROUGH'),
        healthPolicy: fc.constantFrom('ONLY_HEALTHY', 'ALLOW_ALL'),
      }),
      endpointChoice: fc.record({ leastRequest: fc.boolean(), connectAttempts: fc.integer({ min: 1, max: maxConnectAttempts }) }),
      ipFamilies: fc.constantFrom('AUTOMATIC', 'IPV4_ONLY', 'IPV6_ONLY', 'DUAL'),
      canonical: fc.boolean(),
      ingressUseWaypoint: fc.boolean(),
      visibility: fc.constantFrom('PUBLIC', 'NAMESPACE'),
    },
    {
      requiredKeys: [
        ...(['name', 'namespace', 'hostname', 'addresses', 'ports', 'subjectAltNames', 'weightedWaypoints'] as const),
        ...(['ipFamilies', 'canonical', 'ingressUseWaypoint', 'visibility'] as const),
      ],
    },
  )
  .map((fields): Service => Object.assign(fields, { key: serviceKey(fields.namespace, fields.hostname) }));

/** Few values, so that matches and misses are about equally frequent. */
const word = fc.constantFrom('', 'a', 'b', 'ab', 'ba', 'aba', 'cluster.local/ns/a/sa/b', 'b.c/ns/ab/sa/a', '/ns/a/sa/b', 'b.c');
const stringMatch: fc.Arbitrary<StringMatch> = fc.oneof(
  fc.record({ kind: fc.constantFrom('exact' as const, 'prefix' as const, 'suffix' as const), value: word }),
  fc.constant({ kind: 'presence' as const }),
);
const account = fc.record({ namespace: word, serviceAccount: word });
const list = <Item>(item: fc.Arbitrary<Item>): fc.Arbitrary<Item[]> =>
  fc.oneof(fc.constant<Item[]>([]), fc.array(item, { maxLength: 2 }));
const smallPort = fc.constantFrom(80, 443, 8080, 70_000);

const match: fc.Arbitrary<Match> = fc.record({
  namespaces: list(stringMatch),
  notNamespaces: list(stringMatch),
  principals: list(stringMatch),
  notPrincipals: list(stringMatch),
  sourceIps: list(cidr),
  notSourceIps: list(cidr),
  destinationIps: list(cidr),
  notDestinationIps: list(cidr),
  destinationPorts: list(smallPort),
  notDestinationPorts: list(smallPort),
  serviceAccounts: list(account),
  notServiceAccounts: list(account),
});

/** One field or two: a match of twelve random fields would hardly ever hold. */
const narrowMatch: fc.Arbitrary<Match> = fc.tuple(match, fc.nat(11), fc.nat(11)).map(([full, first, second]) => {
  const kept = new Set([first, second]);
  return Object.fromEntries(
    Object.entries(full).map(([field, values], at) => [field, kept.has(at) ? values : []]),
  ) as unknown as Match;
});

export const authorization: fc.Arbitrary<Authorization> = fc
  .record({
    name: fc.constantFrom('p', 'q', 'r'),
    namespace: label,
    scope: fc.constantFrom('GLOBAL', 'NAMESPACE', 'WORKLOAD_SELECTOR'),
    action: fc.constantFrom('ALLOW', 'DENY'),
    rules: fc.array(
      fc.record({
        clauses: fc.array(fc.record({ matches: fc.array(fc.oneof(narrowMatch, narrowMatch, match), { maxLength: 2 }) }), {
          maxLength: 2,
        }),
      }),
      { maxLength: 2 },
    ),
    dryRun: fc.boolean(),
  } as const)
  .map((fields) => Object.assign(fields, { key: policyKey(fields.namespace, fields.name) }));

export const facts: fc.Arbitrary<PolicyFacts> = fc.record(
  {
    sourceIp: ipAddress,
    identity: fc
      .record({
        trustDomain: fc.constantFrom('cluster.local', 'b.c'),
        namespace: fc.constantFrom('a', 'ab', 'b'),
        serviceAccount: fc.constantFrom('a', 'b', 'aba'),
      })
      .map((parts) => spiffeId(parts)),
    destination: fc.record({ ip: ipAddress, port: smallPort }),
  },
  { requiredKeys: ['sourceIp', 'destination'] },
);
