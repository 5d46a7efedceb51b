import { create, toBinary } from '@bufbuild/protobuf';
import type { JsonObject, MessageInitShape } from '@bufbuild/protobuf';
import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import type { Authorization } from '@clearmesh/shared/model/authorization';
import { cidr, match } from '@clearmesh/shared/testing/builders';
import { aimOfAuthorization, decodeAuthorization, encodeAuthorization } from '@clearmesh/shared/wire/authorization';
import type { DecodedAuthorization } from '@clearmesh/shared/wire/authorization';
import { AuthorizationSchema } from '@clearmesh/shared/wire/gen/security/authorization_pb';
import type { MatchSchema } from '@clearmesh/shared/wire/gen/security/authorization_pb';
import { authorization as anyPolicy } from '../arbitraries.ts';
import served from '../vectors/served.json' with { type: 'json' };
import { authorizationFromServed } from './served.ts';

function decode(init: Omit<MessageInitShape<typeof AuthorizationSchema>, '$typeName'>): DecodedAuthorization {
  return decodeAuthorization(toBinary(AuthorizationSchema, create(AuthorizationSchema, { name: 'p', namespace: 'n', ...init })));
}

function policyOf(decoded: DecodedAuthorization): Authorization {
  if (decoded.kind === 'rejected') throw new Error(decoded.reason);
  return decoded.policy;
}

describe('a policy as received', () => {
  const decodedMatch = (init: MessageInitShape<typeof MatchSchema>): unknown =>
    policyOf(decode({ rules: [{ clauses: [{ matches: [init] }] }] })).rules[0]?.clauses[0]?.matches[0];
  const bytes = (...values: number[]): Uint8Array<ArrayBuffer> => Uint8Array.from(values);
  const mapped = bytes(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 0);

  it('has its key, scope and action', () => {
    expect(policyOf(decode({ scope: 2, action: 1, dryRun: true }))).to.deep.equal({
      key: 'n/p',
      name: 'p',
      namespace: 'n',
      scope: 'WORKLOAD_SELECTOR',
      action: 'DENY',
      rules: [],
      dryRun: true,
    });
  });

  it('keeps empty rules, clauses and matches apart', () => {
    const rules = [{}, { clauses: [{}] }, { clauses: [{ matches: [{}] }] }];
    expect(policyOf(decode({ rules })).rules).to.deep.equal([
      { clauses: [] },
      { clauses: [{ matches: [] }] },
      { clauses: [{ matches: [match()] }] },
    ]);
  });

  it('drops a string match without type', () => {
    expect(decodedMatch({ principals: [{}, { matchType: { case: 'exact', value: 'a' } }] })).to.deep.equal(
      match({ principals: [{ kind: 'exact', value: 'a' }] }),
    );
  });

  it('drops a block that is too long or of no family', () => {
    const sourceIps = [
      { address: bytes(10, 0, 0, 0), length: 33 },
      { address: bytes(10, 0, 0), length: 8 },
      { address: bytes(10, 0, 0, 0), length: 8 },
    ];
    expect(decodedMatch({ sourceIps })).to.deep.equal(match({ sourceIps: [cidr('10.0.0.0/8')] }));
  });

  it('keeps host bits, and a length of 0', () => {
    const notSourceIps = [{ address: bytes(10, 4, 7, 7), length: 16 }, { address: bytes(0, 0, 0, 0) }];
    expect(decodedMatch({ notSourceIps })).to.deep.equal(match({ notSourceIps: [cidr('10.4.7.7/16'), cidr('0.0.0.0/0')] }));
  });

  it('reads blocks of IPv4-mapped addresses as IPv4', () => {
    expect(decodedMatch({ sourceIps: [{ address: mapped, length: 104 }] })).to.deep.equal(
      match({ sourceIps: [cidr('10.0.0.0/8')] }),
    );
    expect(decodedMatch({ sourceIps: [{ address: mapped, length: 95 }] })).to.deep.equal(
      match({ sourceIps: [{ bytes: mapped, length: 95 }] }),
    );
  });

  const rejections: readonly (readonly [title: string, decoded: DecodedAuthorization, reason: RegExp])[] = [
    ['unknown scope', decode({ scope: 7 as never }), /^scope: value 7/],
    ['unknown action', decode({ action: 9 as never }), /^action: value 9/],
    ['no name', decode({ name: '' }), /^name: /],
    ['undecodable bytes', decodeAuthorization(Uint8Array.of(0xff)), /^not decodable: /],
  ];
  for (const [title, decoded, reason] of rejections) {
    it(`is rejected: ${title}`, () => expect(decoded.kind === 'rejected' && decoded.reason).to.match(reason));
  }
});

describe('the wire form of policies', () => {
  it('brings any policy back', () => {
    fc.assert(
      fc.property(
        anyPolicy,
        (given) => void expect(policyOf(decodeAuthorization(encodeAuthorization(given)))).to.deep.equal(given),
      ),
    );
  });

  for (const [name, resource] of Object.entries(served as Readonly<Record<string, JsonObject>>)) {
    if (!name.startsWith('authorization')) continue;
    it(`${name}, as istiod serves it, comes back byte for byte`, () => {
      const bytes = toBinary(AuthorizationSchema, authorizationFromServed(resource));
      expect(encodeAuthorization(policyOf(decodeAuthorization(bytes)))).to.deep.equal(bytes);
    });
  }

  it('never throws on any bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void decodeAuthorization(bytes)));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void aimOfAuthorization(bytes)));
  });

  it('tells of any policy what it is aimed at', () => {
    fc.assert(
      fc.property(anyPolicy, (given) => {
        expect(aimOfAuthorization(encodeAuthorization(given))).to.deep.equal({ scope: given.scope, dryRun: given.dryRun });
      }),
    );
  });

  it('never throws on a policy damaged anywhere', () => {
    const damage = fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(anyPolicy.map(encodeAuthorization), damage, (bytes, places) => {
        for (const [at, byte] of places) bytes[at % bytes.length] = byte;
        expect(decodeAuthorization(bytes).kind).to.be.oneOf(['policy', 'rejected']);
      }),
    );
  });
});
