/** What is said of one way from a caller to a callee. Plain values, so that a report is a function of them. */
import type { PolicyAction } from '@clearmesh/shared/model/authorization';

/** `DEPENDS`: on the request, or on which pod is taken; {@link Decision.because} says on what. */
export type Verdict = 'ALLOWED' | 'REFUSED' | 'DEPENDS';

export type Decision = {
  readonly verdict: Verdict;
  readonly because: string;
  /** What to change for another verdict; each is one thing to do. */
  readonly changes: readonly string[];
};

export type PolicyFinding = {
  /** `Kind namespace/name`. */
  readonly object: string;
  readonly action: PolicyAction | 'DECIDES';
  readonly at: 'ztunnel' | 'waypoint';
  readonly dryRun: boolean;
  /** `depends`: on what is not known of the request. */
  readonly outcome: 'matches' | 'no match' | 'depends';
  /** Index in `spec.rules` of the rule that matches, or may. */
  readonly rule?: number;
  /** What the policy says, in short. */
  readonly says: readonly string[];
  /** The verdict is this policy's. */
  readonly decides: boolean;
};

export type MtlsFinding = {
  readonly mode: 'STRICT' | 'PERMISSIVE';
  /** The PeerAuthentication, or the default. */
  readonly by: string;
};

export type Hop = {
  readonly from: string;
  readonly to: string;
  /** `tunnel`: mutually authenticated TLS; `plain`: nobody encrypts; `refused`: it ends here. */
  readonly by: 'tunnel' | 'plain' | 'refused';
  /** Who proves to be whom. */
  readonly identities?: string;
  readonly detail?: string;
};

export type Connection = Decision & {
  readonly caller: string;
  /** Absent where none is reached. */
  readonly callee?: string;
  readonly hops: readonly Hop[];
  /** False where no proxy of the mesh decides: nothing is encrypted, and no policy is enforced. */
  readonly guarded: boolean;
  readonly policies: readonly PolicyFinding[];
  /** Of the callee. */
  readonly mtls?: MtlsFinding;
  /** What else is of interest. */
  readonly remarks: readonly string[];
};

const severity: readonly Verdict[] = ['ALLOWED', 'DEPENDS', 'REFUSED'];

/** Decisions one after the other: each must let pass. The earliest of the worst speaks. */
export function inTurn(decisions: readonly [Decision, ...Decision[]]): Decision {
  const rank = ({ verdict }: Decision): number => severity.indexOf(verdict);
  const { verdict, because, changes } = decisions.reduce((worst, each) => (rank(each) > rank(worst) ? each : worst));
  return { verdict, because, changes };
}
