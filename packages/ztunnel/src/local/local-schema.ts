/** The shape of the local configuration file, as upstream writes it: camel case, one list a kind. */
import { Type } from 'typebox';
import type { TSchema } from 'typebox';
import { parseBlock } from '@clearmesh/shared/model/address-block';
import { parseSpiffeId } from '@clearmesh/shared/identity/spiffe';
import { parseNetworkAddress } from './network-address.ts';

const strict = { additionalProperties: false };
const text = Type.String();
const name = Type.String({ minLength: 1 });
const port = Type.Integer({ minimum: 1, maximum: 65_535 });

function refined(check: (value: string) => boolean, meaning: string): TSchema {
  return Type.Refine(Type.String(), check, () => meaning);
}

const block = refined((value) => parseBlock(value) !== undefined, 'an address block, such as 10.0.0.0/8');
const networkAddress = refined(
  (value) => parseNetworkAddress(value) !== undefined,
  'a network and an IP address, such as /10.96.0.1 or west/10.96.0.1',
);
const ip = refined(
  (value) => parseNetworkAddress(`/${value}`) !== undefined,
  'an IP address without a port, such as 10.0.0.1 or fd00::1',
);
const namespacedHostname = /^[^/]+\/[^/]+$/;

const ports = Type.Refine(
  Type.Record(Type.String(), port),
  (value) => Object.keys(value).every((key) => /^[1-9]\d{0,4}$/.test(key) && Number(key) <= 65_535),
  () => 'a map from service ports to target ports, such as { 80: 8080 }',
);

const gateway = Type.Object(
  {
    destination: refined(
      (value) => parseNetworkAddress(value) !== undefined || namespacedHostname.test(value),
      'network/IP or namespace/hostname',
    ),
    hboneMtlsPort: port,
  },
  strict,
);

const services = Type.Refine(
  Type.Record(Type.String(), ports),
  (value) => Object.keys(value).every((key) => namespacedHostname.test(key)),
  () => 'a map of services by namespace/hostname',
);

const workload = Type.Object(
  {
    uid: Type.Optional(name),
    name: Type.Optional(name),
    namespace: name,
    workloadIps: Type.Array(ip),
    protocol: Type.Optional(Type.Enum(['TCP', 'HBONE'])),
    networkMode: Type.Optional(Type.Enum(['Standard', 'HostNetwork'])),
    trustDomain: Type.Optional(text),
    serviceAccount: Type.Optional(text),
    network: Type.Optional(text),
    workloadName: Type.Optional(text),
    workloadType: Type.Optional(Type.Enum(['deployment', 'cronjob', 'pod', 'job'])),
    canonicalName: Type.Optional(text),
    canonicalRevision: Type.Optional(text),
    hostname: Type.Optional(text),
    node: Type.Optional(text),
    nativeTunnel: Type.Optional(Type.Boolean()),
    applicationTunnel: Type.Optional(Type.Object({ protocol: Type.Enum(['NONE', 'PROXY']), port: Type.Optional(port) }, strict)),
    authorizationPolicies: Type.Optional(Type.Array(name)),
    status: Type.Optional(Type.Enum(['Healthy', 'Unhealthy'])),
    clusterId: Type.Optional(text),
    locality: Type.Optional(
      Type.Object({ region: Type.Optional(text), zone: Type.Optional(text), subzone: Type.Optional(text) }, strict),
    ),
    waypoint: Type.Optional(gateway),
    networkGateway: Type.Optional(gateway),
    capacity: Type.Optional(Type.Integer({ minimum: 0, maximum: 0xffff_ffff })),
    services: Type.Optional(services),
  },
  strict,
);

const scope = Type.Enum(['Region', 'Zone', 'Subzone', 'Node', 'Cluster', 'Network']);

const service = Type.Object(
  {
    name,
    namespace: name,
    hostname: name,
    vips: Type.Array(networkAddress),
    cidrVips: Type.Optional(Type.Array(Type.Object({ network: text, cidr: block }, strict))),
    ports,
    subjectAltNames: Type.Optional(
      Type.Array(refined((value) => parseSpiffeId(value) !== undefined, 'a SPIFFE id, spiffe://DOMAIN/ns/NAMESPACE/sa/ACCOUNT')),
    ),
    waypoint: Type.Optional(gateway),
    weightedWaypoints: Type.Optional(
      Type.Array(Type.Object({ destination: gateway, weight: Type.Integer({ minimum: 0, maximum: 0xffff_ffff }) }, strict)),
    ),
    loadBalancer: Type.Optional(
      Type.Object(
        {
          routingPreferences: Type.Array(scope),
          mode: Type.Enum(['Standard', 'Strict', 'Failover', 'Passthrough']),
          healthPolicy: Type.Optional(Type.Enum(['OnlyHealthy', 'AllowAll'])),
        },
        strict,
      ),
    ),
    ipFamilies: Type.Optional(Type.Enum(['Dual', 'IPv4', 'IPv6'])),
    canonical: Type.Optional(Type.Boolean()),
    visibility: Type.Optional(Type.Enum(['Public', 'Namespace'])),
  },
  strict,
);

const string = Type.Refine(
  Type.Object(
    {
      Exact: Type.Optional(text),
      Prefix: Type.Optional(text),
      Suffix: Type.Optional(text),
      Presence: Type.Optional(Type.Array(Type.Never())),
    },
    strict,
  ),
  (value) => Object.keys(value).length === 1,
  () => 'one of !Exact TEXT, !Prefix TEXT, !Suffix TEXT and !Presence []',
);
const account = Type.Object({ namespace: name, serviceAccount: name }, strict);
const strings = Type.Optional(Type.Array(string));
const accounts = Type.Optional(Type.Array(account));
const blocks = Type.Optional(Type.Array(block));
const portList = Type.Optional(Type.Array(port));

const match = Type.Object(
  {
    namespaces: strings,
    notNamespaces: strings,
    principals: strings,
    notPrincipals: strings,
    serviceAccounts: accounts,
    notServiceAccounts: accounts,
    sourceIps: blocks,
    notSourceIps: blocks,
    destinationIps: blocks,
    notDestinationIps: blocks,
    destinationPorts: portList,
    notDestinationPorts: portList,
  },
  strict,
);

const policy = Type.Object(
  {
    name,
    namespace: text,
    scope: Type.Enum(['Global', 'Namespace', 'WorkloadSelector']),
    action: Type.Enum(['Allow', 'Deny']),
    rules: Type.Array(Type.Array(Type.Array(match))),
    dryRun: Type.Optional(Type.Boolean()),
  },
  strict,
);

/** Of a whole file. */
export const localSchema: TSchema = Type.Object(
  {
    workloads: Type.Optional(Type.Array(workload)),
    services: Type.Optional(Type.Array(service)),
    policies: Type.Optional(Type.Array(policy)),
  },
  strict,
);
