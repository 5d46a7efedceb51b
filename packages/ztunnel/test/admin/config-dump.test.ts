import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { Authorization } from '@clearmesh/shared/model/authorization';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import { authorization, cidr, ip, match, service, workload } from '@clearmesh/shared/testing/builders';
import { dumpSnapshot } from '../../src/admin/config-dump.ts';
import { snapshotOf } from '@clearmesh/shared/testing/pushes';
import type { MeshObjects } from '@clearmesh/shared/testing/pushes';

/** As a reader of the JSON sees it: without what is undefined. */
function dump(objects: MeshObjects): Readonly<Record<string, never>> {
  return JSON.parse(JSON.stringify(dumpSnapshot(snapshotOf(objects)))) as Readonly<Record<string, never>>;
}

/** What upstream was seen to write of these objects (recorded on the wire). */
describe('dumpSnapshot (section 11.3)', () => {
  it('writes a workload with everything', () => {
    const rich: Workload = workload({
      name: 'rich',
      uid: 'cl-1//Pod/bank/rich',
      addresses: ['10.98.9.4'],
      hostname: 'rich.example',
      network: 'net-1',
      nativeTunnel: true,
      serviceAccount: 'rich-sa',
      node: 'w-node-2',
      clusterId: 'cl-1',
      canonicalName: 'rich-app',
      canonicalRevision: 'v1',
      workloadName: 'rich-deploy',
      workloadType: 'JOB',
      status: 'UNHEALTHY',
      networkMode: 'HOST_NETWORK',
      capacity: 3,
      applicationTunnel: { protocol: 'PROXY', port: 15088 },
      networkGateway: { kind: 'hostname', namespace: 'gw', hostname: 'gw.example', hboneMtlsPort: 15008 },
    });
    expect(dump({ workloads: [rich] })['workloads']).to.deep.equal([
      {
        applicationTunnel: { port: 15088, protocol: 'PROXY' },
        canonicalName: 'rich-app',
        canonicalRevision: 'v1',
        capacity: 3,
        clusterId: 'cl-1',
        hostname: 'rich.example',
        name: 'rich',
        namespace: 'bank',
        nativeTunnel: true,
        network: 'net-1',
        networkGateway: { destination: 'gw/gw.example', hboneMtlsPort: 15008 },
        networkMode: 'HostNetwork',
        node: 'w-node-2',
        protocol: 'HBONE',
        serviceAccount: 'rich-sa',
        status: 'Unhealthy',
        trustDomain: 'cluster.local',
        uid: 'cl-1//Pod/bank/rich',
        workloadIps: ['10.98.9.4'],
        workloadName: 'rich-deploy',
        workloadType: 'job',
      },
    ]);
  });

  it('leaves out what a bare workload does not have', () => {
    const bare = workload({
      name: 'bare',
      uid: 'cl-1//Pod/bank/bare',
      addresses: ['10.98.9.3'],
      tunnelProtocol: 'NONE',
      node: '',
      canonicalName: '',
      canonicalRevision: '',
      workloadName: '',
      workloadType: 'DEPLOYMENT',
    });
    expect(dump({ workloads: [bare] })['workloads']).to.deep.equal([
      {
        capacity: 1,
        clusterId: 'Kubernetes',
        name: 'bare',
        namespace: 'bank',
        networkMode: 'Standard',
        protocol: 'TCP',
        serviceAccount: 'default',
        status: 'Healthy',
        trustDomain: 'cluster.local',
        uid: 'cl-1//Pod/bank/bare',
        workloadIps: ['10.98.9.3'],
        workloadType: 'deployment',
      },
    ]);
  });

  it('writes a service with everything', () => {
    const rich: Service = service({
      name: 'rich',
      addresses: ['net-1/10.98.1.50', 'net-1/10.50.0.0/16'],
      ipFamilies: 'DUAL',
      visibility: 'NAMESPACE',
      loadBalancing: { mode: 'FAILOVER', healthPolicy: 'ALLOW_ALL', routingPreference: ['NETWORK', 'REGION'] },
      endpointChoice: { leastRequest: true, connectAttempts: 2 },
    });
    expect(dump({ services: [rich] })['services']).to.deep.equal([
      {
        canonical: true,
        cidrVips: [{ cidr: '10.50.0.0/16', network: 'net-1' }],
        endpointChoice: { connectAttempts: 2, leastRequest: true },
        endpoints: {},
        hostname: 'rich.bank.svc.cluster.local',
        ipFamilies: 'Dual',
        loadBalancer: { healthPolicy: 'AllowAll', mode: 'Failover', routingPreferences: ['Network', 'Region'] },
        name: 'rich',
        namespace: 'bank',
        ports: { 80: 8080 },
        subjectAltNames: [],
        vips: ['net-1/10.98.1.50'],
        visibility: 'Namespace',
      },
    ]);
  });

  it('writes endpoints, waypoints and what is staged', () => {
    const behind = service({
      waypoint: { kind: 'address', address: { network: 'net-1', ip: ip('10.98.0.4') }, hboneMtlsPort: 15008 },
    });
    const endpoints = { [behind.key]: { 80: 8080 }, 'bank/notyet.bank.svc.cluster.local': { 80: 1 } };
    const pods = [
      workload({ name: 'a', services: endpoints }),
      workload({ name: 'sick', status: 'UNHEALTHY', services: { [behind.key]: {} } }),
    ];
    const written = dump({ services: [behind], workloads: pods });
    expect(written['services'])
      .to.have.nested.property('[0].endpoints')
      .that.deep.equals({
        'Kubernetes//Pod/bank/a': { port: { 80: 8080 }, status: 'Healthy', workloadUid: 'Kubernetes//Pod/bank/a' },
      });
    expect(written['services'])
      .to.have.nested.property('[0].waypoint')
      .that.deep.equals({ destination: 'net-1/10.98.0.4', hboneMtlsPort: 15008 });
    expect(written['stagedServices']).to.deep.equal({
      'bank/notyet.bank.svc.cluster.local': {
        'Kubernetes//Pod/bank/a': { port: { 80: 1 }, status: 'Healthy', workloadUid: 'Kubernetes//Pod/bank/a' },
      },
    });
  });

  it('writes a policy', () => {
    const everything = match({
      destinationPorts: [80],
      notNamespaces: [{ kind: 'exact', value: 'z' }],
      principals: [
        { kind: 'exact', value: 'a' },
        { kind: 'prefix', value: 'b' },
        { kind: 'suffix', value: 'c' },
        { kind: 'presence' },
      ],
      serviceAccounts: [{ namespace: 'n', serviceAccount: 's' }],
      sourceIps: [cidr('10.0.0.0/8')],
    });
    const show: Authorization = authorization({
      name: 'show',
      action: 'DENY',
      scope: 'WORKLOAD_SELECTOR',
      rules: [{ clauses: [{ matches: [everything] }] }],
    });
    expect(dump({ policies: [show] })['policies']).to.deep.equal([
      {
        action: 'Deny',
        dryRun: false,
        name: 'show',
        namespace: 'bank',
        rules: [
          [
            [
              {
                destinationPorts: [80],
                notNamespaces: [{ Exact: 'z' }],
                principals: [{ Exact: 'a' }, { Prefix: 'b' }, { Suffix: 'c' }, { Presence: [] }],
                serviceAccounts: [{ namespace: 'n', serviceAccount: 's' }],
                sourceIps: ['10.0.0.0/8'],
              },
            ],
          ],
        ],
        scope: 'WorkloadSelector',
      },
    ]);
  });
});
