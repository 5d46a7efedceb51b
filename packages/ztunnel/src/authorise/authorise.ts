/**
 * Whether an inbound connection may reach the application (l4-contract section 9). Pure: the same function decides
 * at accept and again whenever policy changes. Only it makes a {@link Permit}, and delivery needs one.
 */
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { Authorization } from '@clearmesh/shared/model/authorization';
import type { PolicyKey } from '@clearmesh/shared/model/names';
import type { Workload } from '@clearmesh/shared/model/workload';
import { evaluate } from '@clearmesh/shared/policy/evaluate';
import type { Verdict } from '@clearmesh/shared/policy/evaluate';
import { spiffeId } from '@clearmesh/shared/identity/spiffe';
import type { Snapshot } from '@clearmesh/shared/snapshot/snapshot';
import type { Denial, InboundFacts, Permit } from './permit.ts';
import { comesFrom, formatBinding, requiredAt } from './waypoint-traversal.ts';
import type { WaypointBinding } from './waypoint-traversal.ts';

/** The permit, or the reason why not: a required waypoint first, then policy. */
export function authorise(facts: InboundFacts, snapshot: Snapshot): Permit | Denial {
  const required = requiredAt(facts.workload, facts.destination.port, snapshot);
  if (required.length > 0 && !comesFrom(required, facts.identity, snapshot)) return bypass(facts, required);
  const unknown = unknownPolicies(facts.workload, snapshot);
  if (unknown.length > 0) return incomplete(facts, unknown);
  return decide(facts, policiesFor(facts.workload, snapshot));
}

/** What policy says, by policies found before, for many connections of one workload that {@link authorise} let in. */
export function decide(facts: InboundFacts, policies: readonly Authorization[]): Permit | Denial {
  const { sourceIp, destination } = facts;
  const identity = facts.caller ?? facts.identity;
  const verdict = evaluate(policies, {
    sourceIp,
    destination,
    ...(identity === undefined ? {} : { identity }),
  });
  if (verdict.kind === 'deny') return denial(facts, verdict);
  const { allowedBy, dryRun } = verdict;
  return { kind: 'permit', facts, dryRun, ...(allowedBy === undefined ? {} : { allowedBy }) } as Permit;
}

/**
 * The policies of a workload: those of its namespace and the GLOBAL ones, then those it lists. A listed name that is
 * not known is left out, which only connections may rely on that were authorised before.
 */
export function policiesFor(workload: Workload, snapshot: Snapshot): readonly Authorization[] {
  const general = snapshot.policiesForNamespace(workload.namespace);
  if (workload.authorizationPolicies.length === 0) return general;
  const listed = workload.authorizationPolicies.map((key) => snapshot.policy(key)).filter((policy) => policy !== undefined);
  return [...new Set([...general, ...listed])];
}

/**
 * Listed policies the snapshot does not have: workloads and policies come by separate streams, and either may be first.
 * Where l4-contract section 9 would pass over them, nobody new is let in (design decision 1).
 */
export function unknownPolicies(workload: Workload, snapshot: Snapshot): readonly PolicyKey[] {
  if (workload.authorizationPolicies.length === 0) return [];
  return workload.authorizationPolicies.filter((key) => snapshot.policy(key) === undefined);
}

function denial(facts: InboundFacts, { reason, policy, rule, dryRun }: Extract<Verdict, { kind: 'deny' }>): Denial {
  return {
    kind: 'denied',
    reason,
    ...(policy === undefined ? {} : { policy }),
    ...(rule === undefined ? {} : { rule }),
    explanation: explain(facts, policy, rule),
    dryRun,
  };
}

function incomplete(facts: InboundFacts, unknown: readonly PolicyKey[]): Denial {
  const explanation = `${refusalOf(facts)}: policies it lists have not arrived: ${unknown.slice(0, 10).join(', ')}`;
  return { kind: 'denied', reason: 'unknown-policy', explanation, dryRun: [] };
}

function bypass(facts: InboundFacts, required: readonly WaypointBinding[]): Denial {
  const explanation = `${refusalOf(facts)} without its waypoint: ${required.map(formatBinding).join('; ')}`;
  return { kind: 'denied', reason: 'waypoint-bypass', explanation, dryRun: [] };
}

function explain(facts: InboundFacts, policy: PolicyKey | undefined, rule: number | undefined): string {
  return policy === undefined
    ? `${refusalOf(facts)}: ALLOW policies apply to it, and none of them matches`
    : `${refusalOf(facts)}: rule ${rule ?? 0} of DENY policy ${policy} matches`;
}

function refusalOf({ identity, caller, sourceIp, destination, workload }: InboundFacts): string {
  const peer = identity === undefined ? `plaintext without an identity from ${sourceIp}` : `${identity} from ${sourceIp}`;
  return `${caller === undefined ? peer : `${caller} by way of ${peer}`} may not reach ${spiffeId(workload)} at ${formatSocketAddress(destination)}`;
}
