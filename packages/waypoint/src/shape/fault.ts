/**
 * Which request is hurt by a drill, and how (l7-and-resilience B10, C6). Pure: (facts, experiments, draws) to value.
 *
 * Enters: a request that policy has let in. Leaves: at most one fault, and which experiments counted the request.
 *
 * D1  In production nothing is injected, nor for money movement, whatever the control plane let through.
 * D2  An experiment is in force from its start until before its end, for its callers and matches only.
 * D3  No more than its percentage of the matching requests is ever hurt: chance may fall below it, a count keeps it from
 *     rising above. The first requests of a small percentage are therefore always spared.
 * D4  No header of a request chooses a fault, its kind or its extent.
 * D5  A fault is ours: failures of kind `fault-injected` never count against breaker, endpoint or latency.
 */
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Environment } from '@clearmesh/shared/model/l7/configuration';
import type { FaultExperiment } from '@clearmesh/shared/model/l7/fault';
import type { ResiliencePolicy } from '@clearmesh/shared/model/l7/resilience';
import type { RequestFacts } from '../exchange/request-facts.ts';
import type { CompiledFault } from './fault-rules.ts';

/** Where the request runs. */
export type FaultScene = {
  readonly environment: Environment;
  /** Of the service's ResiliencePolicy; without one `standard`. */
  readonly class: ResiliencePolicy['class'];
};

/** What an experiment has done so far. */
export type FaultTally = {
  /** Requests under its faults now. */
  readonly active: number;
  /** Requests that matched it. */
  readonly seen: number;
  readonly injected: number;
};

export type FaultChoice = {
  /** Experiments that matched the request: each has seen one more. */
  readonly seen: readonly FaultExperiment[];
  /** The one whose fault it gets. */
  readonly experiment?: FaultExperiment;
};

const none: FaultChoice = { seen: [] };

/** @param nowMs since the epoch */
export function chooseFault(
  faults: readonly CompiledFault[],
  request: RequestFacts,
  scene: FaultScene,
  nowMs: number,
  tallies: ReadonlyMap<string, FaultTally>,
  random: Pick<Random, 'unit'>,
): FaultChoice {
  if (faults.length === 0 || scene.environment !== 'test' || scene.class !== 'standard') return none;
  let seen: FaultExperiment[] | undefined;
  for (const fault of faults) {
    if (!concerns(fault, request, nowMs)) continue;
    const { experiment } = fault;
    (seen ??= []).push(experiment);
    if (random.unit() * 100 < experiment.percent && mayInject(experiment, tallies.get(experiment.key)))
      return { seen, experiment };
  }
  return seen === undefined ? none : { seen };
}

function concerns({ experiment, matches, callers }: CompiledFault, request: RequestFacts, nowMs: number): boolean {
  if (!(nowMs >= experiment.startsAtMs && nowMs < experiment.endsAtMs)) return false;
  return (callers.size === 0 || callers.has(request.caller.identity)) && matches(request);
}

function mayInject({ maxActive, percent }: FaultExperiment, tally: FaultTally | undefined): boolean {
  const { active = 0, seen = 0, injected = 0 } = tally ?? {};
  return active < maxActive && (injected + 1) * 100 <= percent * (seen + 1);
}
