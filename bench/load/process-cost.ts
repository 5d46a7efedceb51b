/** What a set of processes has cost so far, read from /proc. */
import { readFileSync } from 'node:fs';

export type ProcessCost = { readonly cpuSeconds: number; readonly residentMib: number };

/** Linux reports CPU time in USER_HZ, which is 100 on every platform Node supports. */
const ticksPerSecond = 100;

/** CPU summed over the processes; resident memory as the largest single one. A process that is gone throws. */
export function costOf(pids: readonly number[]): ProcessCost {
  return pids
    .map(one)
    .reduce(
      (sum, next) => ({ cpuSeconds: sum.cpuSeconds + next.cpuSeconds, residentMib: Math.max(sum.residentMib, next.residentMib) }),
      {
        cpuSeconds: 0,
        residentMib: 0,
      },
    );
}

function one(pid: number): ProcessCost {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The command name stands in parentheses and may hold spaces: fields are counted from its end (proc(5)).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const resident = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
    residentMib: Number(resident?.[1] ?? 0) / 1024,
  };
}
