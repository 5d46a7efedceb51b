/**
 * One entry of a rule (a source, an operation, a condition) as what layer 4 can check of it
 * (control-plane-contract section 2.5, conversion).
 */
import { emptyMatch } from '@clearmesh/shared/model/authorization';
import type { Match, ServiceAccountMatch, StringMatch } from '@clearmesh/shared/model/authorization';
import type { Cidr } from '@clearmesh/shared/model/ip-address';
import { parseBlock } from '@clearmesh/shared/model/address-block';
import { parsePort } from '../manifest/port.ts';
import { parseStringMatch } from '@clearmesh/shared/policy/string-match';
import type { ConditionManifest, OperationManifest, SourceManifest } from '../manifest/authorization-policy.ts';
import type { DeriveOptions } from './options.ts';

/** `all` must hold together; `layer7` names the fields that layer 4 cannot see. */
export type Entry = { readonly all: readonly [Match, ...Match[]]; readonly layer7: readonly string[] };

export function isEmptyMatch(match: Match): boolean {
  return Object.values(match).every((values) => values.length === 0);
}

export function sourceEntry(source: SourceManifest, namespace: string, options: DeriveOptions): Entry {
  const domains = trustDomainMatches(source.trustDomains, options);
  // A list that layer 4 cannot see whole must not narrow a DENY to the part it can.
  const known = domains.beyondL4 ? [] : domains.matches;
  const notDomains = trustDomainMatches(source.notTrustDomains, options);
  const principals = strings(source.principals);
  const match: Match = {
    ...emptyMatch,
    namespaces: strings(source.namespaces),
    notNamespaces: strings(source.notNamespaces),
    principals: principals.length > 0 ? principals : known,
    // No principal and no trust domain of the lists: one list, since a negative list means "none of them".
    notPrincipals: [...strings(source.notPrincipals), ...notDomains.matches],
    sourceIps: blocks(source.ipBlocks),
    notSourceIps: blocks(source.notIpBlocks),
    serviceAccounts: accounts(source.serviceAccounts, namespace),
    notServiceAccounts: accounts(source.notServiceAccounts, namespace),
  };
  const layer7 = [
    ...present(source, ['requestPrincipals', 'notRequestPrincipals', 'remoteIpBlocks', 'notRemoteIpBlocks']),
    ...(domains.beyondL4 ? ['trustDomains'] : []),
    ...(notDomains.beyondL4 ? ['notTrustDomains'] : []),
  ];
  // A positive list means "any of them": principal and trust domain need a match each to hold together.
  const both = principals.length > 0 && known.length > 0;
  return { all: both ? [match, { ...emptyMatch, principals: known }] : [match], layer7 };
}

export function operationEntry(operation: OperationManifest): Entry {
  const match: Match = {
    ...emptyMatch,
    destinationPorts: ports(operation.ports),
    notDestinationPorts: ports(operation.notPorts),
  };
  const layer7 = present(operation, ['hosts', 'notHosts', 'methods', 'notMethods', 'paths', 'notPaths']);
  return { all: [match], layer7 };
}

/** Keys that layer 4 does not know count as layer 7, `connection.sni` too. */
export function conditionEntry(condition: ConditionManifest): Entry {
  const { key, values = [], notValues = [] } = condition;
  const match = conditionMatch(key, values, notValues);
  return match === undefined ? { all: [emptyMatch], layer7: [key] } : { all: [match], layer7: [] };
}

function conditionMatch(key: string, values: readonly string[], notValues: readonly string[]): Match | undefined {
  switch (key) {
    case 'source.ip':
      return { ...emptyMatch, sourceIps: blocks(values), notSourceIps: blocks(notValues) };
    case 'source.namespace':
      return { ...emptyMatch, namespaces: strings(values), notNamespaces: strings(notValues) };
    case 'source.principal':
      return { ...emptyMatch, principals: strings(values), notPrincipals: strings(notValues) };
    case 'destination.ip':
      return { ...emptyMatch, destinationIps: blocks(values), notDestinationIps: blocks(notValues) };
    case 'destination.port':
      return { ...emptyMatch, destinationPorts: ports(values), notDestinationPorts: ports(notValues) };
    default:
      return undefined;
  }
}

/**
 * A principal is `trust domain/ns/…`, so that a trust domain is a prefix of it up to the slash.
 * A suffix pattern cannot be said in terms of the whole principal: it is left to layer 7.
 */
function trustDomainMatches(
  values: readonly string[] = [],
  options: DeriveOptions,
): { readonly matches: readonly StringMatch[]; readonly beyondL4: boolean } {
  if (!options.trustDomainsAtL4) return { matches: [], beyondL4: false };
  const parsed = values.map(parseStringMatch);
  const matches = parsed.flatMap((match): StringMatch[] => {
    if (match.kind === 'exact') return [{ kind: 'prefix', value: `${match.value}/` }];
    return match.kind === 'suffix' ? [] : [match];
  });
  return { matches, beyondL4: matches.length < parsed.length };
}

function present<K extends string>(fields: Readonly<Partial<Record<K, readonly string[]>>>, keys: readonly K[]): readonly K[] {
  return keys.filter((key) => (fields[key] ?? []).length > 0);
}

function strings(values: readonly string[] = []): readonly StringMatch[] {
  return values.map(parseStringMatch);
}

function blocks(values: readonly string[] = []): readonly Cidr[] {
  return values.flatMap((value) => parseBlock(value) ?? []);
}

function ports(values: readonly string[] = []): readonly number[] {
  return values.flatMap((value) => parsePort(value) ?? []);
}

/** `ns/sa`, or `sa` of the policy's namespace. */
function accounts(values: readonly string[] = [], namespace: string): readonly ServiceAccountMatch[] {
  return values.map((value) => {
    const slash = value.indexOf('/');
    return slash < 0
      ? { namespace, serviceAccount: value }
      : { namespace: value.slice(0, slash), serviceAccount: value.slice(slash + 1) };
  });
}
