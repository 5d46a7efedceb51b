import { create, toBinary } from '@bufbuild/protobuf';
import type { JsonObject, MessageInitShape } from '@bufbuild/protobuf';
import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import { ip, workload } from '@clearmesh/shared/testing/builders';
import { AddressSchema } from '@clearmesh/shared/wire/gen/workload/workload_pb';
import type { ServiceSchema, WorkloadSchema } from '@clearmesh/shared/wire/gen/workload/workload_pb';
import { EndpointChoiceSchema } from '@clearmesh/shared/wire/gen/endpoint/choice_pb';
import { decodeAddress, encodeService, encodeWorkload } from '@clearmesh/shared/wire/wds';
import type { DecodedAddress } from '@clearmesh/shared/wire/wds';
import { service as anyService, workload as anyWorkload } from '../arbitraries.ts';
import served from '../vectors/served.json' with { type: 'json' };
import { addressFromServed } from './served.ts';

type WorkloadInit = Omit<MessageInitShape<typeof WorkloadSchema>, '$typeName'>;
type ServiceInit = Omit<MessageInitShape<typeof ServiceSchema>, '$typeName'>;

function decodeWorkload(init: WorkloadInit): DecodedAddress {
  return decodeAddress(
    toBinary(AddressSchema, create(AddressSchema, { type: { case: 'workload', value: { uid: 'u', ...init } } })),
  );
}

function decodeService(init: ServiceInit): DecodedAddress {
  return decodeAddress(
    toBinary(AddressSchema, create(AddressSchema, { type: { case: 'service', value: { hostname: 'h', ...init } } })),
  );
}

function workloadOf(decoded: DecodedAddress): Workload {
  if (decoded.kind !== 'workload') throw new Error(JSON.stringify(decoded));
  return decoded.workload;
}

function serviceOf(decoded: DecodedAddress): Service {
  if (decoded.kind !== 'service') throw new Error(JSON.stringify(decoded));
  return decoded.service;
}

/** Proto enums are open: any number may arrive. */
const unknown = 9 as never;
const address4 = Uint8Array.of(10, 0, 0, 1);

describe('a workload as received', () => {
  it('gets the defaults of section 3.5', () => {
    const bare = workloadOf(
      decodeWorkload({ uid: 'cl-1//Pod/bank/bare', name: 'bare', namespace: 'bank', addresses: [address4] }),
    );
    expect(bare).to.deep.include({
      trustDomain: 'cluster.local',
      serviceAccount: 'default',
      clusterId: 'Kubernetes',
      capacity: 1,
      tunnelProtocol: 'NONE',
      status: 'HEALTHY',
      networkMode: 'STANDARD',
      workloadType: 'DEPLOYMENT',
      locality: { region: '', zone: '', subzone: '' },
    });
    expect(bare).not.to.have.any.keys('waypoint', 'networkGateway', 'applicationTunnel');
  });

  it('keeps a capacity of 0 apart from none', () => expect(workloadOf(decodeWorkload({ capacity: 0 })).capacity).to.equal(0));

  it('may lack name and addresses', () => expect(workloadOf(decodeWorkload({})).addresses).to.deep.equal([]));

  it('counts an IPv4-mapped address as IPv4', () => {
    const mapped = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1);
    expect(workloadOf(decodeWorkload({ addresses: [mapped] })).addresses).to.deep.equal(['10.0.0.1']);
  });

  it('is kept when only its type is unknown, which is telemetry', () => {
    expect(workloadOf(decodeWorkload({ workloadType: unknown })).workloadType).to.equal('DEPLOYMENT');
  });

  it('names the gateway either way', () => {
    const value = { namespace: 'n', hostname: 'h' };
    expect(
      workloadOf(decodeWorkload({ waypoint: { destination: { case: 'hostname', value }, hboneMtlsPort: 15008 } })).waypoint,
    ).to.deep.equal({
      kind: 'hostname',
      ...value,
      hboneMtlsPort: 15008,
    });
  });
});

describe('an address is rejected, with field and value in the reason', () => {
  const gateway = (hboneMtlsPort = 15008): NonNullable<WorkloadInit['waypoint']> => ({
    destination: { case: 'hostname', value: { namespace: 'n', hostname: 'h' } },
    hboneMtlsPort,
  });
  const rejections: readonly (readonly [title: string, decoded: DecodedAddress, reason: RegExp])[] = [
    ['LEGACY_ISTIO_MTLS', decodeWorkload({ tunnelProtocol: 2 }), /^tunnel_protocol: value 2/],
    ['unknown tunnel protocol', decodeWorkload({ tunnelProtocol: unknown }), /^tunnel_protocol: value 9/],
    ['unknown status', decodeWorkload({ status: unknown }), /^status: value 9/],
    ['unknown network mode', decodeWorkload({ networkMode: unknown }), /^network_mode: value 9/],
    [
      'unknown application tunnel',
      decodeWorkload({ applicationTunnel: { protocol: unknown } }),
      /^application_tunnel.protocol: value 9/,
    ],
    ['application tunnel port', decodeWorkload({ applicationTunnel: { port: 65_536 } }), /^application_tunnel.port: 65536/],
    ['address of 5 bytes', decodeWorkload({ addresses: [new Uint8Array(5)] }), /^addresses: .* has 5$/],
    [
      'waypoint without destination',
      decodeWorkload({ waypoint: { hboneMtlsPort: 15008 } }),
      /^waypoint: a gateway needs a destination/,
    ],
    [
      'network gateway without destination',
      decodeWorkload({ networkGateway: {} }),
      /^network_gateway: a gateway needs a destination/,
    ],
    ['gateway port', decodeWorkload({ waypoint: gateway(70_000) }), /^waypoint.hbone_mtls_port: 70000/],
    ['service key without namespace', decodeWorkload({ services: { ledger: {} } }), /^services: key "ledger"/],
    [
      'endpoint port',
      decodeWorkload({ services: { 'n/h': { ports: [{ servicePort: 65_616, targetPort: 1 }] } } }),
      /^services: 65616/,
    ],
    ['no uid', decodeWorkload({ uid: '' }), /^uid: /],
    ['no hostname', decodeService({ hostname: '' }), /^hostname: /],
    [
      'scope UNSPECIFIED',
      decodeService({ loadBalancing: { routingPreference: [0] } }),
      /^load_balancing.routing_preference: value 0/,
    ],
    ['unknown mode', decodeService({ loadBalancing: { mode: unknown } }), /^load_balancing.mode: value 9/],
    [
      'unknown health policy',
      decodeService({ loadBalancing: { healthPolicy: unknown } }),
      /^load_balancing.health_policy: value 9/,
    ],
    ['unknown families', decodeService({ ipFamilies: unknown }), /^ip_families: value 9/],
    ['VIP of 5 bytes', decodeService({ addresses: [{ address: new Uint8Array(5) }] }), /^addresses: .* has 5$/],
    [
      'prefix too long',
      decodeService({ addresses: [{ address: address4, length: 33 }] }),
      /^addresses: prefix length 33 of 10.0.0.1 exceeds 32/,
    ],
    ['service port', decodeService({ ports: [{ servicePort: 65_536 }] }), /^ports: 65536/],
    ['weighted waypoint without destination', decodeService({ weightedWaypoints: [{ weight: 1 }] }), /^weighted_waypoints: /],
    ['neither workload nor service', decodeAddress(new Uint8Array()), /^type: neither/],
    ['undecodable bytes', decodeAddress(Uint8Array.from({ length: 12 }, () => 0xff)), /^not decodable: /],
    ['cut short', decodeAddress(encodeWorkload(workload()).slice(0, -1)), /^not decodable: /],
  ];
  for (const [title, decoded, reason] of rejections) {
    it(title, () => {
      expect(decoded.kind).to.equal('rejected');
      expect(decoded.kind === 'rejected' && decoded.reason).to.match(reason);
    });
  }
});

describe('a service as received', () => {
  const choice = (init: MessageInitShape<typeof EndpointChoiceSchema>) => ({
    name: 'clearmesh.io/endpoint-choice',
    config: {
      typeUrl: 'type.googleapis.com/clearmesh.endpoint.v1.EndpointChoice',
      value: toBinary(EndpointChoiceSchema, create(EndpointChoiceSchema, init)),
    },
  });

  it('passes over extensions of others, and reads its own with attempts within what a proxy does', () => {
    const foreign = { name: 'example.com/other', config: { typeUrl: 'type.googleapis.com/x', value: Uint8Array.of(0xff) } };
    const read = (...extensions: NonNullable<ServiceInit['extensions']>) =>
      serviceOf(decodeService({ extensions })).endpointChoice;
    expect(read(foreign)).to.equal(undefined);
    expect(read(foreign, choice({}))).to.deep.equal({ leastRequest: false, connectAttempts: 1 });
    expect(read(choice({ leastRequest: true, connectAttempts: 99 }))).to.deep.equal({ leastRequest: true, connectAttempts: 5 });
  });

  it('is rejected when its own extension cannot be read', () => {
    const { name, config } = choice({});
    const reasons = [
      { ...config, typeUrl: 'type.googleapis.com/x' },
      { ...config, value: Uint8Array.of(0xff) },
    ].map((wrong) => {
      const decoded = decodeService({ extensions: [{ name, config: wrong }] });
      return decoded.kind === 'rejected' ? decoded.reason : '';
    });
    expect(reasons[0]).to.equal('extensions: clearmesh.io/endpoint-choice is of type type.googleapis.com/x');
    expect(reasons[1]).to.match(/^extensions: clearmesh.io\/endpoint-choice cannot be decoded: /);
  });

  it('is PUBLIC when the visibility is unknown', () =>
    expect(serviceOf(decodeService({ visibility: unknown })).visibility).to.equal('PUBLIC'));

  it('keeps a port whose protocol is unknown', () => {
    expect(serviceOf(decodeService({ ports: [{ servicePort: 80, appProtocol: unknown }] })).ports).to.deep.equal([
      { servicePort: 80, targetPort: 0, appProtocol: 'UNKNOWN' },
    ]);
  });

  it('has a block where the prefix is shorter than the address, else a VIP', () => {
    const mapped = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1);
    const addresses = [
      { network: 'n', address: address4 },
      { address: address4, length: 32 },
      { address: address4, length: 8 },
      { address: mapped, length: 104 },
      { address: mapped, length: 128 },
    ];
    expect(serviceOf(decodeService({ addresses })).addresses).to.deep.equal([
      { network: 'n', ip: ip('10.0.0.1') },
      { network: '', ip: ip('10.0.0.1') },
      { network: '', ip: ip('10.0.0.1'), prefixLength: 8 },
      { network: '', ip: ip('10.0.0.1'), prefixLength: 8 },
      { network: '', ip: ip('10.0.0.1') },
    ]);
  });

  it('drops alternative names that no peer could prove', () => {
    const subjectAltNames = ['swift.partner.example', 'spiffe://partner.example/ns/x/sa/y', 'spiffe://partner.example/x'];
    expect(serviceOf(decodeService({ subjectAltNames })).subjectAltNames).to.deep.equal(['spiffe://partner.example/ns/x/sa/y']);
  });
});

describe('the wire form of workloads and services', () => {
  it('brings any workload back', () => {
    fc.assert(
      fc.property(anyWorkload, (given) => void expect(workloadOf(decodeAddress(encodeWorkload(given)))).to.deep.equal(given)),
    );
  });

  it('brings any service back', () => {
    fc.assert(
      fc.property(anyService, (given) => void expect(serviceOf(decodeAddress(encodeService(given)))).to.deep.equal(given)),
    );
  });

  it('leaves out what istiod leaves out', () => {
    const plain = encodeWorkload(workload());
    expect(Buffer.from(plain).includes('cluster.local')).to.equal(false);
    expect(encodeWorkload(workload({ trustDomain: '' }))).to.deep.equal(plain);
    expect(encodeWorkload(workload({ capacity: 2 })).length).to.be.greaterThan(plain.length);
    expect(workloadOf(decodeAddress(encodeWorkload(workload({ serviceAccount: '' })))).serviceAccount).to.equal('default');
  });

  it('does not depend on the order in which services were entered', () => {
    const one = workload({ services: { 'a/x': { 80: 1 }, 'b/y': { 80: 1 } } });
    const two = workload({ services: { 'b/y': { 80: 1 }, 'a/x': { 80: 1 } } });
    expect(encodeWorkload(one)).to.deep.equal(encodeWorkload(two));
  });

  for (const [name, resource] of Object.entries(served as Readonly<Record<string, JsonObject>>)) {
    if (name.startsWith('authorization')) continue;
    it(`${name}, as istiod serves it, comes back byte for byte`, () => {
      const message = addressFromServed(resource);
      const decoded = decodeAddress(toBinary(AddressSchema, message));
      const elided = message.type.case === 'workload' && message.type.value.serviceAccount === '';
      if (decoded.kind === 'rejected') throw new Error(decoded.reason);
      const encoded =
        decoded.kind === 'service'
          ? encodeService(decoded.service)
          : // The model has the default filled in, which istiod writes for pods and leaves out for others.
            encodeWorkload(elided ? { ...decoded.workload, serviceAccount: '' } : decoded.workload);
      const kept =
        message.type.case === 'service' ? message.type.value.subjectAltNames.filter((san) => san.startsWith('spiffe:')) : [];
      if (message.type.case === 'service') message.type.value.subjectAltNames = kept;
      expect(Buffer.from(encoded).toString('hex')).to.equal(Buffer.from(toBinary(AddressSchema, message)).toString('hex'));
    });
  }
});

describe('decodeAddress', () => {
  it('never throws on any bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void decodeAddress(bytes)));
  });

  it('never throws on a resource damaged anywhere', () => {
    const damage = fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 4 });
    const encoded = fc.oneof(anyWorkload.map(encodeWorkload), anyService.map(encodeService));
    fc.assert(
      fc.property(encoded, damage, (bytes, places) => {
        for (const [at, byte] of places) bytes[at % bytes.length] = byte;
        expect(decodeAddress(bytes).kind).to.be.oneOf(['workload', 'service', 'rejected']);
      }),
    );
  });

  it('never overflows the stack on groups nested deep', () => {
    expect(decodeAddress(Uint8Array.from({ length: 200_000 }, () => 0x7b)).kind).to.equal('rejected');
  });
});
