/** `clearmesh check [--pre] [--wait]`. */
import { delay } from '@clearmesh/shared/lifecycle/clock';
import type { ApiClient } from '@clearmesh/control-plane/kubernetes/api-client';
import { checkAfter } from '../check/after.ts';
import { checkBefore, factsBefore } from '../check/before.ts';
import { factsAfter } from '../check/facts-after.ts';
import { renderResults } from '../check/render.ts';
import type { Result } from '../check/result.ts';
import type { ClusterPlace } from '../mesh/cluster-access.ts';
import { clusterClient } from '../mesh/cluster-objects.ts';
import type { CommandDeps } from './command-deps.ts';

export type CheckOptions = {
  readonly place: ClusterPlace & { readonly systemNamespace: string };
  /** Whether the mesh may be installed, instead of whether it works. */
  readonly pre: boolean;
  /** Milliseconds to wait until nothing has failed. @default not at all */
  readonly waitMs?: number;
  readonly output: 'table' | 'json';
};

const everyMs = 2000;

/** Exit status 0 when nothing has failed, else 1. */
export async function runCheck(
  options: CheckOptions,
  { clock, env, console }: Pick<CommandDeps, 'clock' | 'env' | 'console'>,
  signal: AbortSignal,
): Promise<number> {
  using api = await clusterClient(options.place, { clock, env });
  const until = clock.monotonicMs() + (options.waitMs ?? 0);
  let results = await look(api, options, clock.now(), signal);
  while (hasFailed(results) && clock.monotonicMs() + everyMs < until) {
    console.say(
      `waiting: ${results
        .filter(({ verdict }) => verdict === 'failed')
        .map(({ name }) => name)
        .join(', ')}`,
    );
    await delay(clock, everyMs, signal);
    results = await look(api, options, clock.now(), signal);
  }
  if (options.output === 'json') console.print(`${JSON.stringify({ ok: !hasFailed(results), results }, undefined, 2)}\n`);
  else console.print(`${renderResults(results, console.width(), console.style).join('\n')}\n`);
  return hasFailed(results) ? 1 : 0;
}

async function look(
  api: ApiClient,
  { pre, place }: CheckOptions,
  nowMs: number,
  signal: AbortSignal,
): Promise<readonly Result[]> {
  if (pre) return checkBefore(await factsBefore(api, place.systemNamespace, signal));
  return checkAfter(await factsAfter(api, place.systemNamespace, nowMs, signal));
}

function hasFailed(results: readonly Result[]): boolean {
  return results.some(({ verdict }) => verdict === 'failed');
}
