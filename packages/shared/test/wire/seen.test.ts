/** Resources pushed to the upstream proxy, and how its dump showed them: the same facts come out of our decoder. */
import { create, toBinary } from '@bufbuild/protobuf';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import { AddressSchema } from '@clearmesh/shared/wire/gen/workload/workload_pb';
import { decodeAddress } from '@clearmesh/shared/wire/wds';
import seen from '../vectors/seen.json' with { type: 'json' };

const bytes = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(text.split('.').map(Number));

function decode(type: MessageInitShape<typeof AddressSchema>['type'] & object): Workload | Service {
  const decoded = decodeAddress(toBinary(AddressSchema, create(AddressSchema, { type })));
  if (decoded.kind === 'rejected') throw new Error(decoded.reason);
  return decoded.kind === 'workload' ? decoded.workload : decoded.service;
}

/** NAMES_LIKE_THIS as NamesLikeThis. */
const camel = (name: string): string =>
  name.toLowerCase().replaceAll(/(?:^|_)([a-z])/g, (_all, letter: string) => letter.toUpperCase());

function gateway(given: GatewayAddress | undefined): unknown {
  if (given?.kind !== 'hostname') return undefined;
  return { destination: `${given.namespace}/${given.hostname}`, hboneMtlsPort: given.hboneMtlsPort };
}

/** The dump leaves out what is empty. */
function filled(entries: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(entries).filter(([, value]) => value !== undefined && value !== '' && value !== false),
  );
}

function dumpedWorkload(workload: Workload): unknown {
  const { uid, name, namespace, network, hostname, node, trustDomain, serviceAccount, clusterId, capacity, nativeTunnel } =
    workload;
  const { canonicalName, canonicalRevision, workloadName, applicationTunnel } = workload;
  return filled({
    uid,
    name,
    namespace,
    network,
    hostname,
    node,
    trustDomain,
    serviceAccount,
    clusterId,
    capacity,
    nativeTunnel,
    canonicalName,
    canonicalRevision,
    workloadName,
    applicationTunnel,
    workloadIps: workload.addresses,
    protocol: workload.tunnelProtocol === 'HBONE' ? 'HBONE' : 'TCP',
    networkMode: camel(workload.networkMode),
    status: camel(workload.status),
    workloadType: workload.workloadType.toLowerCase(),
    networkGateway: gateway(workload.networkGateway),
  });
}

function dumpedService(service: Service): unknown {
  const { name, namespace, hostname, canonical, subjectAltNames, loadBalancing } = service;
  const texts = service.addresses.map(({ network, ip, prefixLength }) => ({ network, ip, prefixLength }));
  return {
    name,
    namespace,
    hostname,
    canonical,
    subjectAltNames,
    endpoints: {},
    vips: texts.filter(({ prefixLength }) => prefixLength === undefined).map(({ network, ip }) => `${network}/${ip}`),
    cidrVips: texts
      .filter(({ prefixLength }) => prefixLength !== undefined)
      .map(({ network, ip, prefixLength }) => ({ network, cidr: `${ip}/${prefixLength}` })),
    ports: Object.fromEntries(service.ports.map(({ servicePort, targetPort }) => [String(servicePort), targetPort])),
    ipFamilies: camel(service.ipFamilies),
    visibility: camel(service.visibility),
    loadBalancer: {
      healthPolicy: camel(loadBalancing?.healthPolicy ?? ''),
      mode: camel(loadBalancing?.mode ?? ''),
      routingPreferences: loadBalancing?.routingPreference.map(camel),
    },
  };
}

describe('resources as the upstream proxy understood them', () => {
  it('a bare workload', () => {
    const value = { uid: 'cl-1//Pod/bank/bare', name: 'bare', namespace: 'bank', addresses: [bytes('10.98.9.3')] };
    expect(dumpedWorkload(decode({ case: 'workload', value }) as Workload)).to.deep.equal(seen.bareWorkload);
  });

  it('a workload with every field', () => {
    const workload = decode({
      case: 'workload',
      value: {
        uid: 'cl-1//Pod/bank/rich',
        name: 'rich',
        namespace: 'bank',
        addresses: [bytes('10.98.9.4')],
        network: 'net-1',
        tunnelProtocol: 1,
        serviceAccount: 'rich-sa',
        node: 'w-node-2',
        canonicalName: 'rich-app',
        canonicalRevision: 'v1',
        workloadType: 3,
        workloadName: 'rich-deploy',
        nativeTunnel: true,
        status: 1,
        clusterId: 'cl-1',
        hostname: 'rich.example',
        networkMode: 1,
        capacity: 3,
        applicationTunnel: { protocol: 1, port: 15088 },
        networkGateway: {
          destination: { case: 'hostname', value: { namespace: 'gw', hostname: 'gw.example' } },
          hboneMtlsPort: 15008,
        },
      },
    });
    expect(dumpedWorkload(workload as Workload)).to.deep.equal(seen.richWorkload);
  });

  it('a service with every field', () => {
    const service = decode({
      case: 'service',
      value: {
        name: 'rich',
        namespace: 'bank',
        hostname: 'rich.bank.svc.cluster.local',
        canonical: true,
        ipFamilies: 3,
        visibility: 1,
        addresses: [
          { network: 'net-1', address: bytes('10.98.1.50'), length: 32 },
          { network: 'net-1', address: bytes('10.50.0.0'), length: 16 },
        ],
        ports: [{ servicePort: 80, targetPort: 8080 }],
        loadBalancing: { routingPreference: [6, 1], mode: 2, healthPolicy: 1 },
      },
    });
    expect(dumpedService(service as Service)).to.deep.equal(seen.richService);
  });
});
