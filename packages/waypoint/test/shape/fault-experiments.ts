/** Experiments for the tests of faults: say what matters. */
import type { FaultExperiment } from '@clearmesh/shared/model/l7/fault';
import { compileMatches, matchesAny } from '../../src/route/match.ts';
import { compileFaults } from '../../src/shape/fault-rules.ts';
import type { CompiledFaults } from '../../src/shape/fault-rules.ts';

/** 1 January 2026, where a fake clock starts. */
export const startMs: number = Date.UTC(2026, 0, 1);

/** Everything, for a quarter of an hour, answered with 503. */
export function experiment(spec: Partial<FaultExperiment> = {}): FaultExperiment {
  return {
    key: 'FaultExperiment bank/drill',
    startsAtMs: startMs,
    endsAtMs: startMs + 15 * 60_000,
    owner: 'alice',
    approver: 'bob',
    matches: [],
    callers: [],
    percent: 100,
    maxActive: 10,
    ...(spec.delayMs === undefined && spec.throttleKibPerSecond === undefined && spec.reset !== true
      ? { abort: { status: 503 } }
      : {}),
    reset: false,
    ...spec,
  };
}

export function compiled(...experiments: readonly FaultExperiment[]): CompiledFaults {
  return compileFaults(experiments, (matches) => {
    const any = compileMatches(matches, (problem) => {
      throw new Error(problem);
    });
    return (request) => matchesAny(any, request);
  });
}
