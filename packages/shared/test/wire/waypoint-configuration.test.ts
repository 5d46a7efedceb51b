import { create, toBinary } from '@bufbuild/protobuf';
import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import type { WaypointConfiguration } from '@clearmesh/shared/model/l7/configuration';
import { serviceKey } from '@clearmesh/shared/model/names';
import { ConfigurationSchema } from '@clearmesh/shared/wire/gen/waypoint/configuration_pb';
import {
  decodeWaypointConfiguration,
  encodeWaypointConfiguration,
  waypointResourceName,
} from '@clearmesh/shared/wire/waypoint-configuration';
import { waypointConfiguration } from './waypoint-arbitraries.ts';

const none = { authorization: {}, jwt: {}, opa: {}, resilience: {}, rateLimits: {}, faults: {} };
const service = {
  key: serviceKey('ledger', 'ledger.ledger.svc.cluster.local'),
  ports: [{ port: 80, protocol: 'HTTP11' }],
  routes: [],
  authorization: [],
  jwt: [],
  opa: [],
  rateLimits: [],
  faults: [],
} as const;
const small: WaypointConfiguration = {
  namespace: 'ledger',
  name: 'gate',
  environment: 'production',
  services: [service],
  workloads: [],
  policies: none,
};

/** The reason, or "" when it is taken. */
function reasonOf(json: unknown, envelope: { waypoint?: string; schema?: number } = {}): string {
  const text = typeof json === 'string' ? json : JSON.stringify(json);
  const message = create(ConfigurationSchema, {
    waypoint: 'ledger/gate',
    schema: 1,
    ...envelope,
    json: new TextEncoder().encode(text),
  });
  const decoded = decodeWaypointConfiguration(toBinary(ConfigurationSchema, message));
  return decoded.kind === 'rejected' ? decoded.reason : '';
}

describe('a waypoint configuration on the wire', () => {
  it('comes out as it went in', () => {
    fc.assert(
      fc.property(waypointConfiguration, (configuration) => {
        expect(decodeWaypointConfiguration(encodeWaypointConfiguration(configuration))).to.deep.equal({
          kind: 'configuration',
          configuration,
        });
      }),
    );
  });

  it('is equal bytes for equal content', () => {
    expect(encodeWaypointConfiguration(small)).to.deep.equal(encodeWaypointConfiguration(structuredClone(small)));
  });

  it('is named after its Gateway', () => {
    expect(waypointResourceName(small)).to.equal('ledger/gate');
  });

  it('lets fields through that a newer control plane adds', () => {
    expect(reasonOf({ ...small, colour: 'blue' })).to.equal('');
  });

  const rejected: readonly [string, unknown, { waypoint?: string; schema?: number }, RegExp][] = [
    ['a schema it does not know', small, { schema: 2 }, /^schema: 2 is unknown, only 1/],
    ['no schema', small, { schema: 0 }, /^schema: 0 is unknown/],
    ['the configuration of another waypoint', small, { waypoint: 'ledger/other' }, /^waypoint: "ledger\/other"/],
    ['text that is no JSON', '{', {}, /^json: /],
    ['a list', [], {}, /^json/],
    ['a missing field', { ...small, services: undefined }, {}, /^json\/services: must have/],
    ['a missing field further down', { ...small, services: [{ ...service, opa: undefined }] }, {}, /^json\/services\/0\/opa: /],
    [
      'a wrong type',
      { ...small, services: [{ ...service, ports: [{ port: '80', protocol: 'TCP' }] }] },
      {},
      /ports\/0\/port: must be integer/,
    ],
    [
      'a port beyond 65535',
      { ...small, services: [{ ...service, ports: [{ port: 70_000, protocol: 'TCP' }] }] },
      {},
      /ports\/0\/port: /,
    ],
    ['an unknown word', { ...small, environment: 'staging' }, {}, /^json\/environment: /],
    ['a service key without namespace', { ...small, services: [{ ...service, key: 'ledger' }] }, {}, /^json\/services\/0\/key: /],
    [
      'a policy that is named and not there',
      { ...small, services: [{ ...service, opa: ['OpaPolicy a/b'] }] },
      {},
      /^json\/services\/0\/opa: "OpaPolicy a\/b" is not among/,
    ],
    [
      'a policy named like a part of every object',
      { ...small, services: [{ ...service, resilience: 'constructor' }] },
      {},
      /resilience: "constructor" is not among/,
    ],
    [
      'a filter of no kind',
      {
        ...small,
        services: [
          {
            ...service,
            routes: [
              {
                key: 'r',
                ports: [],
                hostnames: [],
                rules: [{ matches: [], filters: [{ kind: 'x' }], backends: [], timeouts: {} }],
              },
            ],
          },
        ],
      },
      {},
      /^json\/services\/0\/routes\/0\/rules\/0\/filters\/0: /,
    ],
  ];
  for (const [title, json, envelope, reason] of rejected) {
    it(`rejects ${title}`, () => {
      expect(reasonOf(json, envelope)).to.match(reason);
    });
  }

  it('rejects text that is not UTF-8', () => {
    const message = create(ConfigurationSchema, { waypoint: 'a/b', schema: 1, json: Uint8Array.of(0x22, 0xff, 0x22) });
    expect(decodeWaypointConfiguration(toBinary(ConfigurationSchema, message))).to.have.property('kind', 'rejected');
  });

  it('never throws on damaged bytes', () => {
    const damage = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }), fc.boolean());
    fc.assert(
      fc.property(waypointConfiguration, fc.array(damage, { minLength: 1, maxLength: 4 }), (configuration, damages) => {
        let bytes = encodeWaypointConfiguration(configuration);
        for (const [at, value, cut] of damages) {
          if (cut) bytes = bytes.subarray(0, at % (bytes.length + 1));
          else if (bytes.length > 0) bytes[at % bytes.length] = value;
        }
        decodeWaypointConfiguration(bytes);
      }),
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void decodeWaypointConfiguration(bytes)));
  });

  it('never throws, whatever the JSON', () => {
    fc.assert(fc.property(fc.json(), (json) => void reasonOf(json)));
  });
});
