/** Registers a connection with policy and asks it, in one step; from then on a policy that denies it cuts it. */
import { unknownPolicies } from '../authorise/authorise.ts';
import type { Admitted, LiveConnections } from '../authorise/live-connections.ts';
import type { Denial, InboundFacts } from '../authorise/permit.ts';
import type { SnapshotSource } from '@clearmesh/shared/snapshot/snapshot';
import { cutByPolicy } from './connection-cut.ts';
import type { OpenConnection } from './connections.ts';
import type { PolicyLog } from './policy-log.ts';

export type AdmissionDeps = {
  readonly live: LiveConnections;
  readonly snapshots: SnapshotSource;
  readonly policyLog: PolicyLog;
};

/** The permit, to be released at the connection's end, or why there is none. */
export function admit(facts: InboundFacts, connection: OpenConnection, deps: AdmissionDeps): Admitted | Denial {
  const decision = deps.live.admit(facts, (denial) => connection.cut(cutByPolicy(denial)));
  deps.policyLog.recvDecision(facts, decision.kind === 'admitted' ? decision.permit : decision);
  if (decision.kind === 'denied' && decision.reason === 'unknown-policy')
    deps.policyLog.recvMissing(unknownPolicies(facts.workload, deps.snapshots.current));
  return decision;
}
