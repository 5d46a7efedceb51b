/**
 * The question: what do the functions cost that every connection, every change of the mesh and every scrape go through, against
 * the naive way to the same answer?
 *
 *   policy    the layer-4 verdict
 *   store     the service of a VIP; a push of one workload
 *   endpoint  the choice of one workload of a service
 *   metrics   counting a connection; a page
 */
import { nanosecondsPerCall } from './functions/function-case.ts';
import type { FunctionCase } from './functions/function-case.ts';
import { metricCases } from './functions/metrics.ts';
import { policyCases } from './functions/policy.ts';
import { storeCases } from './functions/store.ts';
import { summarise } from './report.ts';
import type { Figures } from './report.ts';
import { inTurn } from './rounds.ts';
import type { WaypointAnswer, WaypointBenchOptions } from './waypoint/answer.ts';

const reference = 'naive';

export function functionCases(): readonly FunctionCase[] {
  return [...policyCases(), ...storeCases(), ...metricCases()];
}

/** @param seconds of each function, each way, in each round */
export async function benchFunctions({ rounds, seconds, onProgress }: WaypointBenchOptions): Promise<readonly WaypointAnswer[]> {
  const cases = functionCases();
  const paths = (['naive', 'ours'] as const).map((way) => ({ name: way === 'ours' ? 'clearmesh' : reference, way }));
  const measure = async ({ way }: (typeof paths)[number]): Promise<Figures> => {
    const figures: Record<string, number> = {};
    for (const each of cases) figures[each.name] = await nanosecondsPerCall(each[way], seconds * 1_000);
    return figures;
  };
  onProgress('warming up …');
  for (const each of cases) for (const way of ['naive', 'ours'] as const) await nanosecondsPerCall(each[way], 200);
  const figures = await inTurn(paths, { rounds, measure, onProgress });
  const titles = Object.fromEntries(cases.map(({ name, title }) => [name, title]));
  return [{ part: 'functions', reference, titles, summaries: summarise(figures, reference) }];
}
