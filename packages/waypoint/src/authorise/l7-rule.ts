/** One rule of an AuthorizationPolicy, compiled. */
import type { L7Operation, L7Rule, L7Source } from '@clearmesh/shared/model/l7/authorization';
import { conditionChecks } from './l7-condition.ts';
import type { L7Facts } from './l7-facts.ts';
import * as fields from './l7-fields.ts';
import { allHold, fieldChecks, unusable } from './l7-match.ts';
import type { Check, RuleContext } from './l7-match.ts';

/** Sources are ORed, operations are ORed, conditions are ANDed; the checks of one entry are ANDed. */
export type CompiledRule = {
  readonly from: readonly (readonly Check[])[];
  readonly to: readonly (readonly Check[])[];
  readonly when: readonly Check[];
};

export function compileRule(rule: L7Rule, context: RuleContext): CompiledRule {
  return {
    from: (rule.from ?? []).map((source) => entry(sourceChecks(source, context), context)),
    to: (rule.to ?? []).map((operation) => entry(operationChecks(operation, context), context)),
    when: (rule.when ?? []).flatMap((condition) => conditionChecks(condition, context)),
  };
}

export function ruleMatches(rule: CompiledRule, facts: L7Facts): boolean {
  return anyEntry(rule.from, facts) && anyEntry(rule.to, facts) && allHold(rule.when, facts);
}

function anyEntry(entries: readonly (readonly Check[])[], facts: L7Facts): boolean {
  for (const checks of entries) if (allHold(checks, facts)) return true;
  return entries.length === 0;
}

/** An entry that says nothing was stripped of what its writer meant. */
function entry(checks: readonly Check[], context: RuleContext): readonly Check[] {
  return checks.length === 0 ? [unusable(context)] : checks;
}

function sourceChecks(source: L7Source, context: RuleContext): readonly Check[] {
  const account = fields.serviceAccount(context.namespace);
  return [
    ...fieldChecks(source.principals, source.notPrincipals, fields.principal, context),
    ...fieldChecks(source.namespaces, source.notNamespaces, fields.namespace, context),
    ...fieldChecks(source.serviceAccounts, source.notServiceAccounts, account, context),
    ...fieldChecks(source.trustDomains, source.notTrustDomains, fields.trustDomain, context),
    ...fieldChecks(source.ipBlocks, source.notIpBlocks, fields.sourceIp, context),
    ...fieldChecks(source.remoteIpBlocks, source.notRemoteIpBlocks, fields.sourceIp, context),
    ...fieldChecks(source.requestPrincipals, source.notRequestPrincipals, fields.requestPrincipal, context),
  ];
}

function operationChecks(operation: L7Operation, context: RuleContext): readonly Check[] {
  return [
    ...fieldChecks(operation.ports, operation.notPorts, fields.port, context),
    ...fieldChecks(operation.methods, operation.notMethods, fields.method, context),
    ...fieldChecks(operation.hosts, operation.notHosts, fields.host, context),
    ...fieldChecks(operation.paths, operation.notPaths, fields.path, context),
  ];
}
