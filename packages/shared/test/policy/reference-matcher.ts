/** The contract's section 9 once more, written for reading and not for speed; properties compare the two. */
import type { Authorization, Match, StringMatch } from '@clearmesh/shared/model/authorization';
import { ipToBytes } from '@clearmesh/shared/model/ip-address';
import type { Cidr, IpAddress } from '@clearmesh/shared/model/ip-address';
import { identityParts } from '@clearmesh/shared/identity/spiffe';
import type { PolicyFacts } from '@clearmesh/shared/policy/evaluate';

export function referenceDecision(
  policies: readonly Authorization[],
  facts: PolicyFacts,
): 'allow' | 'explicit-deny' | 'no-allow-matched' {
  const enforced = policies.filter((policy) => !policy.dryRun);
  const matches = (policy: Authorization): boolean => referenceRules(policy, facts).length > 0;
  if (enforced.some((policy) => policy.action === 'DENY' && matches(policy))) return 'explicit-deny';
  const allows = enforced.filter((policy) => policy.action === 'ALLOW');
  return allows.length === 0 || allows.some(matches) ? 'allow' : 'no-allow-matched';
}

/** Indexes of all rules that match. */
export function referenceRules(policy: Authorization, facts: PolicyFacts): readonly number[] {
  return [...policy.rules.entries()]
    .filter(([, rule]) =>
      rule.clauses.every(({ matches }) => matches.length === 0 || matches.some((match) => referenceMatch(match, facts))),
    )
    .map(([index]) => index);
}

function referenceMatch(match: Match, facts: PolicyFacts): boolean {
  const parts = facts.identity === undefined ? undefined : identityParts(facts.identity);
  const principal = facts.identity?.replace('spiffe://', '');
  const fields = [
    field(match.namespaces, match.notNamespaces, (wanted) => stringMatches(wanted, parts?.namespace ?? '')),
    field(match.principals, match.notPrincipals, (wanted) => principal !== undefined && stringMatches(wanted, principal)),
    field(match.sourceIps, match.notSourceIps, (block) => blockHolds(block, facts.sourceIp)),
    field(match.destinationIps, match.notDestinationIps, (block) => blockHolds(block, facts.destination.ip)),
    field(match.destinationPorts, match.notDestinationPorts, (port) => port === facts.destination.port),
    field(
      match.serviceAccounts,
      match.notServiceAccounts,
      (wanted) => parts?.namespace === wanted.namespace && parts.serviceAccount === wanted.serviceAccount,
    ),
  ];
  return fields.some(({ present }) => present) && fields.every(({ holds }) => holds);
}

function field<Item>(
  positive: readonly Item[],
  negative: readonly Item[],
  matches: (item: Item) => boolean,
): { present: boolean; holds: boolean } {
  return {
    present: positive.length + negative.length > 0,
    holds: (positive.length === 0 || positive.some(matches)) && !negative.some(matches),
  };
}

function stringMatches(match: StringMatch, text: string): boolean {
  switch (match.kind) {
    case 'presence':
      return text !== '';
    case 'exact':
      return text === match.value;
    case 'prefix':
      return text.startsWith(match.value);
    case 'suffix':
      return text.endsWith(match.value);
  }
}

/** Address and block as strings of bits. */
export function blockHolds(block: Cidr, ip: IpAddress): boolean {
  const address = bits(ipToBytes(ip));
  const network = bits(block.bytes);
  return address.length === network.length && address.slice(0, block.length) === network.slice(0, block.length);
}

function bits(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
}
