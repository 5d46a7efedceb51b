/** Which processes run in given network namespaces, and their end. */
import { readdirSync, statSync } from 'node:fs';
import { delay } from '@clearmesh/shared/lifecycle/clock';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { keepAliveFor } from '../process/keep-alive.ts';
import { isRunning, stampOf } from '../process/proc-stat.ts';
import type { ProcessStamp } from '../process/proc-stat.ts';
import { namespacePath } from '../topology/names.ts';

const pollMs = 10;
const patienceMs = 3000;

/** Processes whose network namespace is one of the named ones; never this process. */
export function processesIn(namespaces: readonly string[]): readonly ProcessStamp[] {
  const wanted = new Set(namespaces.flatMap((name) => identityOf(namespacePath(name)) ?? []));
  if (wanted.size === 0) return [];
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const inside = pids.filter((pid) => wanted.has(identityOf(`/proc/${pid}/ns/net`) ?? ''));
  return inside.flatMap((pid) => stampOf(Number(pid)) ?? []);
}

/** SIGKILL for those that still run, and the wait for their end; gives the ones that were killed. */
export async function killAll(
  stamps: readonly ProcessStamp[],
  deps: { readonly clock: Clock },
): Promise<readonly ProcessStamp[]> {
  const running = stamps.filter((stamp) => isRunning(stamp));
  for (const { pid } of running) kill(pid);
  const deadline = deps.clock.monotonicMs() + patienceMs;
  while (running.some((stamp) => isRunning(stamp)) && deps.clock.monotonicMs() < deadline) {
    await keepAliveFor(delay(deps.clock, pollMs, AbortSignal.timeout(patienceMs)));
  }
  return running;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended in between.
  }
}

/** Device and inode: together they are one namespace of the running kernel. */
function identityOf(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}
