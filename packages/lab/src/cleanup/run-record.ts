/**
 * The note every lab leaves about itself, so that a later start can clean up after a crash.
 * It is written before the first namespace is made: what it does not name, `cm-<id>-` and /run/clearmesh/work/<id> do.
 */
import { link, mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { ProcessStamp } from '../process/proc-stat.ts';
import { namespacePrefix } from '../topology/names.ts';

const stateDirectory = '/run/clearmesh';
const recordDirectory = `${stateDirectory}/labs`;

export type RunRecord = {
  readonly version: 1;
  readonly id: string;
  readonly owner: ProcessStamp;
  readonly namespaces: readonly string[];
  readonly processes: readonly ProcessStamp[];
  readonly workDir: string;
};

/** Where a lab keeps its files unless told otherwise. */
export function ownWorkDir(id: string): string {
  return `${stateDirectory}/work/${id}`;
}

/** The record in a file's text; `undefined` when it is none, or names what a lab of that id cannot have made. */
export function parseRunRecord(text: string): RunRecord | undefined {
  const value = parseJson(text);
  if (!isObject(value) || value['version'] !== 1) return undefined;
  const { id, owner, namespaces, processes, workDir } = value;
  const isWhole = typeof id === 'string' && /^[a-z0-9]{1,12}$/.test(id) && isStamp(owner) && typeof workDir === 'string';
  if (!isWhole || !Array.isArray(namespaces) || !Array.isArray(processes) || !processes.every(isStamp)) return undefined;
  const prefix = namespacePrefix(id);
  const areOurs = namespaces.every((name) => typeof name === 'string' && name.startsWith(prefix) && !name.includes('/'));
  return areOurs ? { version: 1, id, owner, namespaces: namespaces as string[], processes, workDir } : undefined;
}

/** Leaves the first record of a lab; MESH-LAB-001 when the id is in use. */
export async function claimRecord(record: RunRecord): Promise<void> {
  await mkdir(recordDirectory, { recursive: true, mode: 0o700 });
  const draft = await writeDraft(record);
  try {
    // A link fails where a record is, and never shows half of one.
    await link(draft, recordFile(record.id));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    throw new MeshError('MESH-LAB-001', {
      message: `lab ${record.id} runs already (${recordFile(record.id)})`,
      hint: 'Stop the other one, or use another id.',
      cause,
    });
  } finally {
    await rm(draft, { force: true });
  }
}

/** Replaces the record. */
export async function updateRecord(record: RunRecord): Promise<void> {
  await rename(await writeDraft(record), recordFile(record.id));
}

/** Every record there is; files that are none are given by name. */
export async function readRecords(): Promise<{ readonly records: readonly RunRecord[]; readonly foreign: readonly string[] }> {
  const files = await readdir(recordDirectory).catch(() => []);
  const names = files.filter((name) => name.endsWith('.json'));
  const read = names.map(async (name) => {
    const text = await readFile(join(recordDirectory, name), 'utf8').catch(() => '');
    const record = parseRunRecord(text);
    return record !== undefined && name === `${record.id}.json` ? record : name;
  });
  const found = await Promise.all(read);
  return {
    records: found.filter((entry) => typeof entry !== 'string'),
    foreign: found.filter((entry) => typeof entry === 'string'),
  };
}

/** Forgets a lab: the last step of its end. */
export async function removeRecord(id: string): Promise<void> {
  await rm(recordFile(id), { force: true });
}

async function writeDraft(record: RunRecord): Promise<string> {
  const draft = `${recordFile(record.id)}.${process.pid}`;
  await writeFile(draft, `${JSON.stringify(record, undefined, 2)}\n`, { mode: 0o600 });
  return draft;
}

function recordFile(id: string): string {
  return `${recordDirectory}/${id}.json`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isStamp(value: unknown): value is ProcessStamp {
  return isObject(value) && isCount(value['pid']) && value['pid'] > 1 && isCount(value['startTicks']);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
