/** What the upstream node proxy was seen to decide (contract section 9), through the wire format and the matcher. */
import { create, toBinary } from '@bufbuild/protobuf';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { Authorization } from '@clearmesh/shared/model/authorization';
import { evaluate } from '@clearmesh/shared/policy/evaluate';
import type { PolicyFacts } from '@clearmesh/shared/policy/evaluate';
import { identity, ip, socketAddress } from '@clearmesh/shared/testing/builders';
import { decodeAuthorization } from '@clearmesh/shared/wire/authorization';
import { Action, AuthorizationSchema, Scope } from '@clearmesh/shared/wire/gen/security/authorization_pb';
import type { MatchSchema, StringMatchSchema } from '@clearmesh/shared/wire/gen/security/authorization_pb';
import seen from '../vectors/policy-seen.json' with { type: 'json' };

type MatchInit = MessageInitShape<typeof MatchSchema>;
type StringInit = MessageInitShape<typeof StringMatchSchema>;

const mtls: PolicyFacts = {
  sourceIp: ip('10.98.0.5'),
  identity: identity('bank', 'far-sa'),
  destination: socketAddress('10.98.0.2:8080'),
};
const plaintext: PolicyFacts = { sourceIp: ip('10.98.0.8'), destination: socketAddress('10.98.0.2:8080') };

const exact = (value: string): StringInit => ({ matchType: { case: 'exact', value } });
const prefix = (value: string): StringInit => ({ matchType: { case: 'prefix', value } });
const suffix = (value: string): StringInit => ({ matchType: { case: 'suffix', value } });
const presence: StringInit = { matchType: { case: 'presence', value: {} } };
const account = (serviceAccount: string): { namespace: string; serviceAccount: string } => ({
  namespace: 'bank',
  serviceAccount,
});
const block = (text: string): { address: Uint8Array<ArrayBuffer>; length: number } => {
  const [address = '', length] = text.split('/');
  return { address: Uint8Array.from(address.split('.').map(Number)), length: Number(length) };
};

function policy(init: Omit<MessageInitShape<typeof AuthorizationSchema>, '$typeName'>): Authorization {
  const message = create(AuthorizationSchema, { name: 'p', namespace: 'bank', scope: Scope.NAMESPACE, ...init });
  const decoded = decodeAuthorization(toBinary(AuthorizationSchema, message));
  if (decoded.kind === 'rejected') throw new Error(decoded.reason);
  return decoded.policy;
}

const one = (match: MatchInit): { clauses: { matches: MatchInit[] }[] } => ({ clauses: [{ matches: [match] }] });
const allow = (match: MatchInit): Authorization => policy({ rules: [one(match)] });
const deny = (...rules: { clauses: { matches: MatchInit[] }[] }[]): Authorization => policy({ action: Action.DENY, rules });
const strict = deny(one({ notPrincipals: [presence] }));
const far = { namespaces: [exact('bank')] };
const other = { namespaces: [exact('other')] };

/** By the statement recorded. */
const policies: Readonly<Record<string, Authorization>> = {
  'denied is 401': deny(one({ principals: [exact('cluster.local/ns/bank/sa/far-sa')] })),
  'ALLOW principal exact': allow({ principals: [exact('cluster.local/ns/bank/sa/far-sa')] }),
  'ALLOW principal with scheme': allow({ principals: [exact('spiffe://cluster.local/ns/bank/sa/far-sa')] }),
  'ALLOW principal prefix': allow({ principals: [prefix('cluster.local/ns/bank/')] }),
  'ALLOW principal suffix': allow({ principals: [suffix('/sa/far-sa')] }),
  'ALLOW principal presence': allow({ principals: [presence] }),
  'ALLOW not principal': allow({ notPrincipals: [exact('cluster.local/ns/bank/sa/far-sa')] }),
  'ALLOW namespace': allow(far),
  'ALLOW other namespace': allow(other),
  'ALLOW not namespace': allow({ notNamespaces: [exact('other')] }),
  'ALLOW service account': allow({ serviceAccounts: [account('far-sa')] }),
  'ALLOW other service account': allow({ serviceAccounts: [account('other-sa')] }),
  'ALLOW not service account': allow({ notServiceAccounts: [account('far-sa')] }),
  'ALLOW source CIDR': allow({ sourceIps: [block('10.98.0.0/24')] }),
  'ALLOW source other CIDR': allow({ sourceIps: [block('10.99.0.0/24')] }),
  'ALLOW not source': allow({ notSourceIps: [block('10.98.0.5/32')] }),
  'ALLOW destination IP': allow({ destinationIps: [block('10.98.0.2/32')] }),
  'ALLOW destination other': allow({ destinationIps: [block('10.98.0.3/32')] }),
  'ALLOW destination port': allow({ destinationPorts: [8080] }),
  'ALLOW other port': allow({ destinationPorts: [80] }),
  'ALLOW not port': allow({ notDestinationPorts: [8080] }),
  'ALLOW empty match': allow({}),
  'ALLOW two fields, one false': allow({ ...far, destinationPorts: [80] }),
  'ALLOW source CIDR /0': allow({ sourceIps: [block('0.0.0.0/0')] }),
  'ALLOW bad CIDR length': allow({ sourceIps: [block('10.98.0.0/40')] }),
  'ALLOW bad CIDR dropped, namespace stays': allow({ ...far, sourceIps: [block('10.98.0.0/40')] }),
  'ALLOW StringMatch without type': allow({ principals: [{}] }),
  'ports are matched after resolution': allow({ destinationPorts: [8080] }),
  'ALLOW without rules denies': policy({}),
  'DENY without rules allows': deny(),
  'DENY, rule without clauses, denies': deny({ clauses: [] }),
  'DENY, clause without matches, denies': deny({ clauses: [{ matches: [] }] }),
  'dry-run DENY allows': policy({ action: Action.DENY, dryRun: true, rules: [one(far)] }),
  'dry-run ALLOW without match allows': policy({ dryRun: true, rules: [one(other)] }),
  'two clauses are ANDed': policy({ rules: [{ clauses: [{ matches: [far] }, { matches: [other] }] }] }),
  'two matches are ORed': policy({ rules: [{ clauses: [{ matches: [other, far] }] }] }),
};

/** Which policies apply, and what becomes of live connections, is decided by the caller of the matcher. */
const elsewhere: readonly string[] = [
  'policy push closes the newly denied stream',
  'plaintext not denied by it stays',
  'the HTTP/2 connection itself stays',
  'STRICT policy closes the plaintext connection',
  'WORKLOAD_SELECTOR not listed has no effect',
  'GLOBAL in own ns field',
  'WORKLOAD_SELECTOR listed denies',
  'removal allows again',
  "another namespace's policy has no effect",
  'plaintext unaffected by a principals DENY',
  'STRICT denies plaintext, allows mTLS',
];

describe('policy as seen on the wire', () => {
  for (const { statement, seen: status } of seen) {
    const given = policies[statement];
    if (given === undefined) continue;
    it(`${statement}: ${String(status)}`, () => {
      expect(evaluate([given], mtls).kind === 'allow' ? 200 : 401).to.equal(Array.isArray(status) ? status[0] : status);
    });
  }

  it('a DENY of a principal leaves plaintext alone', () => {
    expect(evaluate([deny(one({ principals: [presence] }))], plaintext).kind).to.equal('allow');
  });

  it('STRICT denies plaintext and allows mTLS', () => {
    expect([evaluate([strict], plaintext).kind, evaluate([strict], mtls).kind]).to.deep.equal(['deny', 'allow']);
  });

  it('every statement recorded is a case here or belongs to the caller', () => {
    const statements = seen.map(({ statement }) => statement);
    expect(statements).to.have.members([...Object.keys(policies), ...elsewhere]);
  });
});
