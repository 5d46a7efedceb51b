/** Whether a policy's rules fit the facts of one connection (l4-contract section 9, levels and fields). */
import type { Authorization, Clause, Match, Rule } from '../model/authorization.ts';
import { cidrContains } from '../model/ip-address.ts';
import type { PolicyFacts } from './facts.ts';
import { namespaceMatches, principalMatches, serviceAccountMatches } from './match-identity.ts';

/** Index of the first rule that matches, or -1. Rules are ORed; none at all never matches. */
export function matchingRule(policy: Authorization, facts: PolicyFacts): number {
  // An index loop, as all below: `entries()` and closures would allocate for each policy of each connection.
  for (let index = 0; index < policy.rules.length; index += 1) {
    const rule = policy.rules[index];
    if (rule !== undefined && ruleMatches(rule, facts)) return index;
  }
  return -1;
}

/** Clauses are ANDed; none at all matches. */
function ruleMatches(rule: Rule, facts: PolicyFacts): boolean {
  for (const clause of rule.clauses) if (!clauseMatches(clause, facts)) return false;
  return true;
}

/** Matches are ORed; none at all matches. */
function clauseMatches(clause: Clause, facts: PolicyFacts): boolean {
  for (const match of clause.matches) if (!isEmpty(match) && fieldsMatch(match, facts)) return true;
  return clause.matches.length === 0;
}

/** A match that says nothing matches nothing: control planes strip what layer 4 cannot evaluate. */
function isEmpty(match: Match): boolean {
  return (
    match.namespaces.length === 0 &&
    match.notNamespaces.length === 0 &&
    match.principals.length === 0 &&
    match.notPrincipals.length === 0 &&
    match.sourceIps.length === 0 &&
    match.notSourceIps.length === 0 &&
    match.destinationIps.length === 0 &&
    match.notDestinationIps.length === 0 &&
    match.destinationPorts.length === 0 &&
    match.notDestinationPorts.length === 0 &&
    match.serviceAccounts.length === 0 &&
    match.notServiceAccounts.length === 0
  );
}

/** Fields are ANDed; the cheap ones come first. */
function fieldsMatch(match: Match, facts: PolicyFacts): boolean {
  const { identity, sourceIp, destination } = facts;
  return (
    holds(match.destinationPorts, match.notDestinationPorts, portEquals, destination.port) &&
    holds(match.principals, match.notPrincipals, principalMatches, identity) &&
    holds(match.namespaces, match.notNamespaces, namespaceMatches, identity) &&
    holds(match.serviceAccounts, match.notServiceAccounts, serviceAccountMatches, identity) &&
    holds(match.sourceIps, match.notSourceIps, cidrContains, sourceIp) &&
    holds(match.destinationIps, match.notDestinationIps, cidrContains, destination.ip)
  );
}

/** One entry of a positive list, no entry of a negative one; an absent list asks for nothing. */
function holds<Matcher, Fact>(
  positive: readonly Matcher[],
  negative: readonly Matcher[],
  matches: (matcher: Matcher, fact: Fact) => boolean,
  fact: Fact,
): boolean {
  return (positive.length === 0 || anyMatches(positive, matches, fact)) && !anyMatches(negative, matches, fact);
}

function anyMatches<Matcher, Fact>(
  matchers: readonly Matcher[],
  matches: (matcher: Matcher, fact: Fact) => boolean,
  fact: Fact,
): boolean {
  for (const matcher of matchers) if (matches(matcher, fact)) return true;
  return false;
}

function portEquals(port: number, actual: number): boolean {
  return port === actual;
}
