/** Stops a process and waits until every thread of it stands still: the signal alone is only asked for. Linux only. */
import type { ChildProcess } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const lookMs = 2;

export async function pauseProcess(child: ChildProcess): Promise<void> {
  child.kill('SIGSTOP');
  while (child.exitCode === null && child.signalCode === null && !standsStill(child.pid)) await sleep(lookMs);
}

/** The state is the field behind the name, which is in brackets and may hold any character. */
function standsStill(pid: number | undefined): boolean {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks).every((task) => {
    const stat = readFileSync(`${tasks}/${task}/stat`, 'utf8');
    return stat.charAt(stat.lastIndexOf(')') + 2) === 'T';
  });
}
