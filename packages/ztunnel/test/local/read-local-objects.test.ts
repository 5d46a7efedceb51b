import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { stringify } from 'yaml';
import { problemError } from '@clearmesh/shared/document/problem';
import { authorization, cidr, match, service, workload } from '@clearmesh/shared/testing/builders';
import { readLocalObjects } from '../../src/local/read-local-objects.ts';
import type { MeshObjects } from '../../src/local/read-local-objects.ts';

function read(text: string): MeshObjects {
  const reading = readLocalObjects('mesh.yaml', text, 'Kubernetes');
  if (reading.kind === 'rejected') throw new Error(reading.problems.map((each) => problemError(each).message).join('\n'));
  return reading.objects;
}

function problems(text: string): string {
  const reading = readLocalObjects('mesh.yaml', text, 'Kubernetes');
  if (reading.kind === 'objects') throw new Error('it was accepted');
  return reading.problems.map((problem) => problemError(problem).explain()).join('\n');
}

const pod = 'uid: a, namespace: bank, workloadIps: [10.0.0.1]';
const workloadOf = (fields: string): string => `workloads: [{ ${pod}, ${fields} }]`;
const shop = 'name: server, namespace: bank, hostname: server.bank, vips: [/10.96.0.1], ports: { 80: 8080 }';
const serviceOf = (fields: string): string => `services: [{ ${shop}, ${fields} }]`;
const policyOf = (fields: string): string =>
  `policies: [{ name: p, namespace: bank, scope: Namespace, action: Allow, rules: [[[{ ${fields} }]]] }]`;

describe('a local configuration', () => {
  it('gives a workload, a service and a policy with all they can say', () => {
    const objects = read(`
workloads:
- name: ledger-0
  namespace: bank
  workloadIps: [10.0.0.1, "fd00::1"]
  protocol: HBONE
  networkMode: HostNetwork
  trustDomain: bank.example
  serviceAccount: ledger
  network: west
  workloadName: ledger
  workloadType: job
  canonicalName: ledger
  canonicalRevision: v2
  node: node-a
  nativeTunnel: true
  applicationTunnel: { protocol: PROXY, port: 15088 }
  authorizationPolicies: [bank/p]
  status: Unhealthy
  clusterId: cl-2
  locality: { region: eu, zone: eu-1, subzone: rack-1 }
  waypoint: { destination: bank/gate.bank, hboneMtlsPort: 15008 }
  networkGateway: { destination: east/203.0.113.7, hboneMtlsPort: 15443 }
  capacity: 3
  services:
    bank/server.bank: { 80: 8080, 443: 8443 }
services:
- name: server
  namespace: bank
  hostname: server.bank
  vips: [/10.96.0.1, west/10.96.0.1]
  cidrVips: [{ network: west, cidr: 10.97.0.0/16 }, { network: "", cidr: 10.98.0.1/32 }]
  ports: { 80: 8080 }
  subjectAltNames: [spiffe://cluster.local/ns/bank/sa/server]
  waypoint: { destination: /10.0.0.9, hboneMtlsPort: 15008 }
  weightedWaypoints: [{ destination: { destination: bank/gate.bank, hboneMtlsPort: 15008 }, weight: 5 }]
  loadBalancer: { routingPreferences: [Region, Zone], mode: Failover, healthPolicy: AllowAll }
  ipFamilies: IPv4
  canonical: true
  visibility: Namespace
policies:
- name: p
  namespace: bank
  scope: WorkloadSelector
  action: Deny
  dryRun: true
  rules:
  - - - principals: [!Exact cluster.local/ns/bank/sa/a, !Prefix td/, !Suffix /sa/b, !Presence [], Exact: written-out]
        notSourceIps: [10.0.0.0/8]
        destinationPorts: [80]
        serviceAccounts: [{ namespace: bank, serviceAccount: a }]
`);
    const gate = { kind: 'hostname', namespace: 'bank', hostname: 'gate.bank', hboneMtlsPort: 15_008 } as const;
    const { addresses } = workload({ addresses: ['203.0.113.7', '10.0.0.9'] });
    const [gatewayIp, waypointIp] = [addresses[0]!, addresses[1]!];
    expect(objects.workloads).to.deep.equal([
      workload({
        name: 'ledger-0',
        clusterId: 'cl-2',
        addresses: ['10.0.0.1', 'fd00::1'],
        networkMode: 'HOST_NETWORK',
        trustDomain: 'bank.example',
        serviceAccount: 'ledger',
        network: 'west',
        workloadName: 'ledger',
        workloadType: 'JOB',
        canonicalName: 'ledger',
        canonicalRevision: 'v2',
        nativeTunnel: true,
        applicationTunnel: { protocol: 'PROXY', port: 15_088 },
        authorizationPolicies: ['bank/p'],
        status: 'UNHEALTHY',
        locality: { region: 'eu', zone: 'eu-1', subzone: 'rack-1' },
        waypoint: gate,
        networkGateway: { kind: 'address', address: { network: 'east', ip: gatewayIp }, hboneMtlsPort: 15_443 },
        capacity: 3,
        services: { 'bank/server.bank': { 80: 8080, 443: 8443 } },
      }),
    ]);
    expect(objects.services).to.deep.equal([
      service({
        hostname: 'server.bank',
        addresses: ['10.96.0.1', 'west/10.96.0.1', 'west/10.97.0.0/16', '10.98.0.1'],
        subjectAltNames: ['spiffe://cluster.local/ns/bank/sa/server'],
        waypoint: { kind: 'address', address: { network: '', ip: waypointIp }, hboneMtlsPort: 15_008 },
        weightedWaypoints: [{ destination: gate, weight: 5 }],
        loadBalancing: { routingPreference: ['REGION', 'ZONE'], mode: 'FAILOVER', healthPolicy: 'ALLOW_ALL' },
        ipFamilies: 'IPV4_ONLY',
        visibility: 'NAMESPACE',
      }),
    ]);
    const principals = [
      { kind: 'exact', value: 'cluster.local/ns/bank/sa/a' },
      { kind: 'prefix', value: 'td/' },
      { kind: 'suffix', value: '/sa/b' },
      { kind: 'presence' },
      { kind: 'exact', value: 'written-out' },
    ] as const;
    const only = match({
      principals,
      notSourceIps: [cidr('10.0.0.0/8')],
      destinationPorts: [80],
      serviceAccounts: [{ namespace: 'bank', serviceAccount: 'a' }],
    });
    expect(objects.policies).to.deep.equal([
      authorization({
        name: 'p',
        scope: 'WORKLOAD_SELECTOR',
        action: 'DENY',
        dryRun: true,
        rules: [{ clauses: [{ matches: [only] }] }],
      }),
    ]);
  });

  it('gives a workload that says little what discovery would give it', () => {
    const [bare] = read(`workloads: [{ ${pod} }]`).workloads;
    expect(bare).to.deep.include({
      uid: 'a',
      clusterId: 'Kubernetes',
      trustDomain: 'cluster.local',
      serviceAccount: 'default',
      tunnelProtocol: 'NONE',
      capacity: 1,
    });
  });

  it('may hold no object of a kind, or none at all', () => {
    expect(read('{}')).to.deep.equal({ workloads: [], services: [], policies: [] });
  });

  const refused: readonly [string, string, RegExp][] = [
    ['no YAML', 'workloads: [', /^mesh\.yaml:1:\d+: /],
    ['an empty text', '', /the file is empty/],
    ['two documents', '{}\n---\n{}', /must hold one document/],
    ['a list of another name', 'workload: []', /mesh\.yaml:1:1: workload: is not a known field.*\n.*Did you mean workloads\?/],
    ['a misspelt field', workloadOf('protcol: HBONE'), /workloads\[0\]\.protcol.*"HBONE".*\n.*Did you mean protocol\?/],
    ['a field of no use here', serviceOf('endpoints: {}'), /services\[0\]\.endpoints: is not a known field/],
    ['a workload without a namespace', 'workloads: [{ uid: a, workloadIps: [] }]', /workloads\[0\]\.namespace: is missing/],
    ['a workload without uid and name', 'workloads: [{ namespace: b, workloadIps: [] }]', /neither uid nor name.*\n.*uid/],
    [
      'an address with a port',
      'workloads: [{ uid: a, namespace: b, workloadIps: ["1.2.3.4:80"] }]',
      /workloadIps\[0\].*"1\.2\.3\.4:80"/,
    ],
    [
      'an unknown protocol',
      workloadOf('protocol: hbone'),
      /protocol: must be one of TCP, HBONE \(found "hbone"\).*\n.*mean HBONE/,
    ],
    ['a port beyond 65535', workloadOf('services: { a/b: { 80: 70000 } }'), /services\["a\/b"\].*80.*70000/],
    ['a service port that is none', workloadOf('services: { a/b: { http: 80 } }'), /a map from service ports to target ports/],
    ['a service without its namespace', workloadOf('services: { b: { 80: 80 } }'), /a map of services by namespace\/hostname/],
    [
      'a gateway that is nowhere',
      workloadOf('waypoint: { destination: gate, hboneMtlsPort: 1 }'),
      /waypoint\.destination.*"gate"/,
    ],
    [
      'a policy that is not there',
      workloadOf('authorizationPolicies: [bank/p]'),
      /authorizationPolicies\[0\]: is not among.*"bank\/p"/,
    ],
    [
      'a VIP without a network',
      serviceOf('visibility: Public').replace('/10.96.0.1', '10.96.0.1'),
      /vips\[0\]: must be a network and an IP/,
    ],
    ['a name of a service that nobody can prove', serviceOf('subjectAltNames: [ledger]'), /subjectAltNames\[0\].*"ledger"/],
    ['a match of two kinds', policyOf('namespaces: [{ Exact: a, Prefix: b }]'), /namespaces\[0\]: must be one of !Exact/],
    ['a match of an unknown kind', policyOf('namespaces: [!exact a]'), /namespaces\[0\]: must be of type object \(found "a"\)/],
    ['presence of something', policyOf('principals: [!Presence [x]]'), /principals\[0\]/],
    ['a block without bits', policyOf('sourceIps: [10.0.0.0/33]'), /sourceIps\[0\].*"10\.0\.0\.0\/33"/],
    [
      'one uid twice',
      `workloads: [{ ${pod} }, { ${pod} }]`,
      /workloads\[1\]\.uid: is that of workloads\[0\] already \(found "a"\)/,
    ],
    ['one service twice', `services: [{ ${shop} }, { ${shop} }]`, /services\[1\]\.hostname: is that of services\[0\]/],
  ];
  for (const [what, text, told] of refused) {
    it(`is refused with its place: ${what}`, () => {
      expect(problems(text)).to.match(told);
    });
  }

  it('is read or refused, whatever the text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(readLocalObjects('f', text, 'c').kind).to.be.oneOf(['objects', 'rejected']);
      }),
    );
  });

  it('is read or refused, whatever stands in its lists', () => {
    const lists = fc.record(
      { workloads: fc.jsonValue(), services: fc.jsonValue(), policies: fc.jsonValue() },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(lists, (value) => {
        expect(readLocalObjects('f', stringify(value), 'c').kind).to.be.oneOf(['objects', 'rejected']);
      }),
    );
  });
});
