/** FaultExperiment objects made ready for the request path; what the control plane should have refused is refused again. */
import type { FaultExperiment } from '@clearmesh/shared/model/l7/fault';
import type { HttpMatch } from '@clearmesh/shared/model/l7/route';
import type { RequestFacts } from '../exchange/request-facts.ts';

/** The longest that an experiment may run, milliseconds (l7-and-resilience C6). */
const maxExperimentMs = 3_600_000;

export type CompiledFault = {
  readonly experiment: FaultExperiment;
  readonly matches: (request: RequestFacts) => boolean;
  /** Empty: every caller. */
  readonly callers: ReadonlySet<string>;
};

export type CompiledFaults = {
  /** In their order. */
  readonly faults: readonly CompiledFault[];
  /** Experiments without effect here, and why; for the log. */
  readonly refused: readonly string[];
};

/** @param predicateOf compiles ORed matches; not called for an empty list */
export function compileFaults(
  experiments: readonly FaultExperiment[],
  predicateOf: (matches: readonly HttpMatch[]) => (request: RequestFacts) => boolean,
): CompiledFaults {
  const faults: CompiledFault[] = [];
  const refused: string[] = [];
  for (const experiment of experiments) {
    const objection = objectionTo(experiment);
    if (objection !== undefined) refused.push(`${experiment.key} is not run: ${objection}`);
    else {
      const matches = experiment.matches.length === 0 ? always : predicateOf(experiment.matches);
      faults.push({ experiment, matches, callers: new Set(experiment.callers) });
    }
  }
  return { faults, refused };
}

/** Numbers that are none compare with nothing, so each test asks for what must hold. */
function objectionTo({ owner, approver, startsAtMs, endsAtMs, percent, maxActive }: FaultExperiment): string | undefined {
  if (owner === '' || approver === '') return 'it needs an owner and an approver';
  if (owner === approver) return `${owner} may not approve an own experiment`;
  if (!(endsAtMs - startsAtMs <= maxExperimentMs)) return 'it would run for more than 60 minutes';
  if (!(percent >= 0 && percent <= 100)) return `its percentage is ${percent}`;
  if (!(maxActive >= 1)) return `it allows ${maxActive} requests at a time`;
  return undefined;
}

function always(): boolean {
  return true;
}
