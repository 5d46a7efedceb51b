/** One resource of {@link AUTHORIZATION_TYPE_URL}: a layer-4 policy (l4-contract sections 3.4, 3.5). */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Authorization, Match, StringMatch } from '../model/authorization.ts';
import type { Cidr } from '../model/ip-address.ts';
import { policyKey } from '../model/names.ts';
import { enumTable } from './enum-table.ts';
import { Action, AuthorizationSchema, Scope } from './gen/security/authorization_pb.ts';
import type {
  Address,
  Authorization as PolicyMessage,
  Match as MatchMessage,
  MatchSchema,
  StringMatch as StringMessage,
  StringMatchSchema,
} from './gen/security/authorization_pb.ts';
import { decodeOrReject, refuse } from './rejected.ts';
import type { Rejected } from './rejected.ts';

const scopes = enumTable({ GLOBAL: Scope.GLOBAL, NAMESPACE: Scope.NAMESPACE, WORKLOAD_SELECTOR: Scope.WORKLOAD_SELECTOR });
const actions = enumTable({ ALLOW: Action.ALLOW, DENY: Action.DENY });

export type DecodedAuthorization = { readonly kind: 'policy'; readonly policy: Authorization } | Rejected;

/** Never throws: what cannot be used is rejected whole, with the field and value in the reason. */
export function decodeAuthorization(bytes: Uint8Array): DecodedAuthorization {
  return decodeOrReject((): DecodedAuthorization => ({
    kind: 'policy',
    policy: fromPolicyMessage(fromBinary(AuthorizationSchema, bytes)),
  }));
}

/**
 * What a policy that {@link decodeAuthorization} rejects applies to, as far as its bytes tell: where they tell nothing, its
 * namespace. Never throws.
 */
export function aimOfAuthorization(bytes: Uint8Array): Pick<Authorization, 'scope' | 'dryRun'> {
  const read = decodeOrReject(() => {
    const { scope, dryRun } = fromBinary(AuthorizationSchema, bytes);
    return { kind: 'aim', scope: scopes.nameOr(scope, 'NAMESPACE'), dryRun } as const;
  });
  return read.kind === 'aim' ? { scope: read.scope, dryRun: read.dryRun } : { scope: 'NAMESPACE', dryRun: false };
}

export function encodeAuthorization(policy: Authorization): Uint8Array {
  return toBinary(AuthorizationSchema, authorizationMessage(policy));
}

/** The message behind {@link encodeAuthorization}, for dumps and comparisons field by field. */
export function authorizationMessage(policy: Authorization): PolicyMessage {
  const { name, namespace, dryRun } = policy;
  return create(AuthorizationSchema, {
    name,
    namespace,
    scope: scopes.valueOf(policy.scope),
    action: actions.valueOf(policy.action),
    rules: policy.rules.map((rule) => ({
      clauses: rule.clauses.map((clause) => ({ matches: clause.matches.map(toMatchMessage) })),
    })),
    dryRun,
  });
}

function fromPolicyMessage(message: PolicyMessage): Authorization {
  const { name, namespace, dryRun } = message;
  if (name === '') return refuse('name: a policy without name could never be removed');
  return {
    key: policyKey(namespace, name),
    name,
    namespace,
    scope: scopes.nameOf(message.scope, 'scope'),
    action: actions.nameOf(message.action, 'action'),
    rules: message.rules.map((rule) => ({
      clauses: rule.clauses.map((clause) => ({ matches: clause.matches.map(fromMatchMessage) })),
    })),
    dryRun,
  };
}

/** Section 3.5: a bad block or a string without type is dropped; a match left with nothing never matches. */
function fromMatchMessage(message: MatchMessage): Match {
  return {
    namespaces: decodeStrings(message.namespaces),
    notNamespaces: decodeStrings(message.notNamespaces),
    principals: decodeStrings(message.principals),
    notPrincipals: decodeStrings(message.notPrincipals),
    sourceIps: decodeBlocks(message.sourceIps),
    notSourceIps: decodeBlocks(message.notSourceIps),
    destinationIps: decodeBlocks(message.destinationIps),
    notDestinationIps: decodeBlocks(message.notDestinationIps),
    destinationPorts: message.destinationPorts,
    notDestinationPorts: message.notDestinationPorts,
    serviceAccounts: message.serviceAccounts.map(({ namespace, serviceAccount }) => ({ namespace, serviceAccount })),
    notServiceAccounts: message.notServiceAccounts.map(({ namespace, serviceAccount }) => ({ namespace, serviceAccount })),
  };
}

function toMatchMessage(match: Match): MessageInitShape<typeof MatchSchema> {
  return {
    namespaces: match.namespaces.map(encodeString),
    notNamespaces: match.notNamespaces.map(encodeString),
    principals: match.principals.map(encodeString),
    notPrincipals: match.notPrincipals.map(encodeString),
    sourceIps: match.sourceIps.map(encodeBlock),
    notSourceIps: match.notSourceIps.map(encodeBlock),
    destinationIps: match.destinationIps.map(encodeBlock),
    notDestinationIps: match.notDestinationIps.map(encodeBlock),
    destinationPorts: [...match.destinationPorts],
    notDestinationPorts: [...match.notDestinationPorts],
    serviceAccounts: [...match.serviceAccounts],
    notServiceAccounts: [...match.notServiceAccounts],
  };
}

function decodeStrings(messages: readonly StringMessage[]): readonly StringMatch[] {
  return messages.flatMap(({ matchType }): readonly StringMatch[] => {
    if (matchType.case === undefined) return [];
    return [matchType.case === 'presence' ? { kind: 'presence' } : { kind: matchType.case, value: matchType.value }];
  });
}

function encodeString(match: StringMatch): MessageInitShape<typeof StringMatchSchema> {
  return { matchType: match.kind === 'presence' ? { case: 'presence', value: {} } : { case: match.kind, value: match.value } };
}

function decodeBlocks(messages: readonly Address[]): readonly Cidr[] {
  return messages.flatMap(({ address, length }): readonly Cidr[] => {
    if (address.length !== 4 && address.length !== 16) return [];
    return length > address.length * 8 ? [] : [normalBlock(address, length)];
  });
}

const mappedPrefix = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** A block of IPv4-mapped addresses means IPv4, as everywhere (section 1); else a DENY written so would never match. */
function normalBlock(bytes: Uint8Array, length: number): Cidr {
  const mapped = bytes.length === 16 && length >= 96 && mappedPrefix.every((byte, at) => bytes[at] === byte);
  return mapped ? { bytes: bytes.slice(12), length: length - 96 } : { bytes, length };
}

function encodeBlock(block: Cidr): { address: Uint8Array<ArrayBuffer>; length: number } {
  return { address: Uint8Array.from(block.bytes), length: block.length };
}
