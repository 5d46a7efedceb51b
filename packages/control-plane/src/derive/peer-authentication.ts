/**
 * mTLS modes as layer-4 policies: STRICT is a DENY of whoever proves no identity
 * (control-plane-contract section 2.5, PeerAuthentication).
 */
import { policyKey } from '@clearmesh/shared/model/names';
import type { Authorization, Clause, Rule } from '@clearmesh/shared/model/authorization';
import type { PolicyKey } from '@clearmesh/shared/model/names';
import { emptyMatch } from '@clearmesh/shared/model/authorization';
import type { Labels } from '../manifest/metadata.ts';
import type { Mode, MtlsModes, PeerPolicy } from './mtls-mode.ts';
import type { DeriveOptions } from './options.ts';

const staticStrictName = 'istio_converted_static_strict';
const unauthenticated: Clause = { matches: [{ ...emptyMatch, notPrincipals: [{ kind: 'presence' }] }] };

/** The policy behind every workload that is STRICT on all ports. */
export function staticStrict(options: DeriveOptions): Authorization {
  return denyPolicy(options.rootNamespace, staticStrictName, [{ clauses: [unauthenticated] }]);
}

/** The policy of an object whose ports differ from its base mode; `undefined` when none does. */
export function portLevelPolicy(policy: PeerPolicy, modes: MtlsModes): Authorization | undefined {
  const inherited = modes.inherited(policy.namespace);
  const rules = (policy.mode ?? inherited) === 'STRICT' ? openPorts(policy, inherited) : strictPorts(policy);
  return rules.length === 0 ? undefined : denyPolicy(policy.namespace, portLevelName(policy), rules);
}

/** The key a workload lists for its mode; `undefined` when it accepts plaintext on all ports. */
export function mtlsPolicyOf(
  namespace: string,
  labels: Labels | undefined,
  modes: MtlsModes,
  options: DeriveOptions,
): PolicyKey | undefined {
  const own = modes.selecting(namespace, labels);
  if (own !== undefined && portLevelPolicy(own, modes) !== undefined) return policyKey(namespace, portLevelName(own));
  const mode = own?.mode ?? modes.inherited(namespace);
  return mode === 'STRICT' ? policyKey(options.rootNamespace, staticStrictName) : undefined;
}

/** STRICT but for some ports: deny who is unauthenticated and asks for none of them. */
function openPorts(policy: PeerPolicy, inherited: Mode): readonly Rule[] {
  const exceptions = portsOf(policy, 'OPEN').map((port) => ({ matches: [{ ...emptyMatch, notDestinationPorts: [port] }] }));
  if (exceptions.length === 0) return [];
  // Upstream states the identity clause once per level that is STRICT; the order is a fact of the wire.
  const own = policy.mode === 'STRICT' ? [unauthenticated] : [];
  return [{ clauses: [...own, ...exceptions, ...(inherited === 'STRICT' ? [unauthenticated] : [])] }];
}

/** Open but for some ports: deny who is unauthenticated and asks for one of them. */
function strictPorts(policy: PeerPolicy): readonly Rule[] {
  return portsOf(policy, 'STRICT').map((port) => ({
    clauses: [{ matches: [{ ...emptyMatch, notPrincipals: [{ kind: 'presence' }], destinationPorts: [port] }] }],
  }));
}

function portsOf(policy: PeerPolicy, mode: Mode): readonly number[] {
  return [...policy.ports].flatMap(([port, portMode]) => (portMode === mode ? [port] : []));
}

function portLevelName(policy: PeerPolicy): string {
  return `converted_peer_authentication_${policy.name}`;
}

function denyPolicy(namespace: string, name: string, rules: readonly Rule[]): Authorization {
  return { key: policyKey(namespace, name), name, namespace, scope: 'WORKLOAD_SELECTOR', action: 'DENY', rules, dryRun: false };
}
