/** What tests of dispatching expect and configure. */
import type { OutlierPolicy } from '@clearmesh/shared/model/l7/resilience';
import type { DispatchResult, DispatchedAnswer } from '../../src/forward/dispatch-request.ts';

export const outlierDetection: OutlierPolicy = {
  consecutive5xx: 2,
  consecutiveLocal: 2,
  intervalMs: 10_000,
  baseEjectionMs: 30_000,
  maxEjectionMs: 300_000,
  panicPercent: 50,
  panic: 'spread',
};

export function answered(result: DispatchResult): DispatchedAnswer {
  if (result.kind !== 'answer') throw new Error(`failed: ${result.failure.kind}: ${result.failure.detail}`);
  return result;
}

export function kindOf(result: DispatchResult): string {
  return result.kind === 'answer' ? String(result.answer.status) : result.failure.kind;
}
