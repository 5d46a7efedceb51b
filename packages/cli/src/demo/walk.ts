/** Takes the steps one after the other; one that fails is a finding, and the walk goes on. */
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { Deadline } from '@clearmesh/shared/lifecycle/deadline';
import type { Finding, Step } from './step.ts';
import type { StepReport } from './report.ts';

export type WalkOptions<World> = {
  readonly steps: readonly Step<World>[];
  /** Milliseconds a step may take. @default 30000 */
  readonly stepLimitMs?: number;
  readonly onStep?: (report: StepReport, number: number) => void;
};

/** The report of every step; rejects only when `signal` aborts. */
export async function walk<World extends { readonly clock: Clock }>(
  world: World,
  { steps, stepLimitMs = 30_000, onStep }: WalkOptions<World>,
  signal: AbortSignal,
): Promise<readonly StepReport[]> {
  const reports: StepReport[] = [];
  for (const step of steps) {
    const started = world.clock.monotonicMs();
    const { ok, facts, trace } = await take(world, step, stepLimitMs, signal);
    const durationMs = Math.round(world.clock.monotonicMs() - started);
    const report = {
      name: step.name,
      why: step.why,
      ok,
      evidence: evidenceOf(facts),
      durationMs,
      ...(trace === undefined ? {} : { trace }),
    };
    reports.push(report);
    onStep?.(report, reports.length);
  }
  return reports;
}

/** One text; a fact that quotes another program must not look like two. */
function evidenceOf(facts: readonly string[]): string {
  return facts.map((fact) => fact.replaceAll('; ', ', ')).join('; ');
}

async function take<World extends { readonly clock: Clock }>(
  world: World,
  step: Step<World>,
  limitMs: number,
  signal: AbortSignal,
): Promise<Finding> {
  using deadline = new Deadline({ limitMs, reason: () => new Error(`not done within ${limitMs / 1000} s`) }, world);
  try {
    return await step.check(world, deadline.within(signal));
  } catch (thrown) {
    signal.throwIfAborted();
    return { ok: false, facts: [thrown instanceof Error ? thrown.message : String(thrown)] };
  }
}
