/** Loads that run in a client's namespace, and what the proxies in between pay for them. */
import { runIn } from '@clearmesh/e2e/harness/command';
import { costOf } from './process-cost.ts';
import { parseWrk, wrkArguments } from './wrk.ts';
import type { WrkResult } from './wrk.ts';

export type WrkLoad = {
  readonly connections: number;
  readonly seconds: number;
  /** A new connection for each request. */
  readonly fresh: boolean;
};

/** Runs wrk in a namespace; time for it to start and end comes on top of the load's. */
export async function wrkFrom(clientNamespacePath: string, url: string, load: WrkLoad): Promise<WrkResult> {
  const command = wrkArguments({ url, ...load });
  return parseWrk((await runIn(clientNamespacePath, command, { timeoutMs: (load.seconds + 15) * 1000 })).stdout);
}

/** CPU that the processes spent, all together, while the load ran. */
export async function costed<T>(
  pids: readonly number[],
  load: () => Promise<T>,
): Promise<{ readonly result: T; readonly cpuSeconds: number }> {
  const before = costOf(pids).cpuSeconds;
  const result = await load();
  return { result, cpuSeconds: costOf(pids).cpuSeconds - before };
}
