/**
 * What a crash leaves, removed at the next start.
 *
 * C1  a lab whose owner runs is never touched; the owner is a process number with its start time.
 * C2  only namespaces `cm-<id>-…` of a recorded id are deleted, only processes inside them or recorded are killed,
 *     only /run/clearmesh/work/<id> is deleted: a work directory of the user's choice stays.
 * C3  the record goes last, so that a clean-up cut short is taken up again.
 */
import { readdir, rm } from 'node:fs/promises';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Logger } from '@clearmesh/shared/observe/log';
import { createRunTool } from '../host/run-tool.ts';
import type { RunTool } from '../host/run-tool.ts';
import { isRunning } from '../process/proc-stat.ts';
import { namespaceDirectory, namespacePrefix } from '../topology/names.ts';
import { killAll, processesIn } from './namespace-processes.ts';
import { ownWorkDir, readRecords, removeRecord } from './run-record.ts';
import type { RunRecord } from './run-record.ts';
import { withStartLock } from './start-lock.ts';

export type CleanReport = {
  readonly labs: readonly string[];
  readonly namespaces: readonly string[];
  readonly processes: readonly number[];
};

export type CleanDeps = {
  readonly clock: Clock;
  readonly logger: Logger;
  /** @default process.env */
  readonly env?: NodeJS.ProcessEnv;
};

/** Removes what labs of dead owners left: processes, namespaces, work directories, records. */
export async function cleanStaleLabs(deps: CleanDeps, signal: AbortSignal = AbortSignal.timeout(60_000)): Promise<CleanReport> {
  return withStartLock({ signal }, deps, () => cleanWhileLocked(deps));
}

/** The same, for a caller that holds the start lock. */
export async function cleanWhileLocked(deps: CleanDeps): Promise<CleanReport> {
  const { records, foreign } = await readRecords();
  for (const file of foreign) deps.logger.warn('not a run record of a lab: left alone', { file });
  const run = createRunTool(deps.env ?? process.env);
  const report = { labs: [] as string[], namespaces: [] as string[], processes: [] as number[] };
  for (const record of records) {
    if (isRunning(record.owner)) continue;
    const removed = await cleanLab(record, { ...deps, run });
    report.labs.push(record.id);
    report.namespaces.push(...removed.namespaces);
    report.processes.push(...removed.processes);
    deps.logger.info('removed what a lab left behind', { lab: record.id, namespaces: removed.namespaces.length });
  }
  return report;
}

/** Removes a lab's namespaces with everything in them, its own work directory and its record. */
export async function cleanLab(
  record: RunRecord,
  deps: { readonly clock: Clock; readonly run: RunTool },
): Promise<{ readonly namespaces: readonly string[]; readonly processes: readonly number[] }> {
  const namespaces = await namespacesOf(record.id);
  // The owner may be among the recorded ones only by a defect; killing it here would kill ourselves.
  const recorded = record.processes.filter(({ pid }) => pid !== process.pid);
  const killed = await killAll([...recorded, ...processesIn(namespaces)], deps);
  if (namespaces.length > 0)
    await deps.run(['ip', '-batch', '-'], { input: namespaces.map((name) => `netns delete ${name}\n`).join('') });
  if (record.workDir === ownWorkDir(record.id)) await rm(record.workDir, { recursive: true, force: true });
  await removeRecord(record.id);
  return { namespaces, processes: [...new Set(killed.map(({ pid }) => pid))] };
}

async function namespacesOf(id: string): Promise<readonly string[]> {
  const names = await readdir(namespaceDirectory).catch(() => []);
  return names.filter((name) => name.startsWith(namespacePrefix(id)));
}
