/** What a set of processes has cost so far, read from /proc. */
import { readFileSync } from 'node:fs';
import { procStatFields, residentBytes } from '@clearmesh/lab/process/proc-stat';

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
  const fields = procStatFields(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
  return {
    // utime and stime, fields 14 and 15 of proc_pid_stat(5).
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
    residentMib: residentBytes(pid) / 1_048_576,
  };
}
