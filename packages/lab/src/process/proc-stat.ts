/** Who a process is, beyond its reusable number: /proc/<pid>/stat (proc_pid_stat(5)). */
import { readFileSync } from 'node:fs';

/** A process that cannot be mistaken for a later one of the same number. */
export type ProcessStamp = {
  readonly pid: number;
  /** Clock ticks from boot to its start (field 22). */
  readonly startTicks: number;
};

/** The fields of a line of /proc/<pid>/stat from the state (field 3) on; `undefined` when it is none. */
export function procStatFields(line: string): readonly string[] | undefined {
  // The name stands in parentheses and may itself hold spaces and parentheses: only the last one ends it.
  const end = line.lastIndexOf(')');
  if (end < 0) return undefined;
  return line
    .slice(end + 1)
    .trim()
    .split(/\s+/);
}

/** The state letter and start time in a line of /proc/<pid>/stat; `undefined` when it is none. */
export function parseProcStat(line: string): { readonly state: string; readonly startTicks: number } | undefined {
  const fields = procStatFields(line) ?? [];
  const state = fields[0];
  const startTicks = Number(fields[19] ?? Number.NaN);
  if (state === undefined || state.length !== 1 || !Number.isSafeInteger(startTicks) || startTicks < 0) return undefined;
  return { state, startTicks };
}

/** Memory that a process has in RAM, bytes: VmRSS of /proc/<pid>/status. Throws for one that is gone. */
export function residentBytes(pid: number): number {
  const [, kib = '0'] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) * 1024;
}

/** The stamp of a running process; `undefined` when there is none, or only a zombie. */
export function stampOf(pid: number): ProcessStamp | undefined {
  const stat = readStat(pid);
  return stat === undefined || stat.state === 'Z' || stat.state === 'X' ? undefined : { pid, startTicks: stat.startTicks };
}

/** True while this very process runs. */
export function isRunning(stamp: ProcessStamp): boolean {
  return stampOf(stamp.pid)?.startTicks === stamp.startTicks;
}

function readStat(pid: number): ReturnType<typeof parseProcStat> {
  try {
    return parseProcStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    // No such process (any more).
    return undefined;
  }
}
