/** What a running mesh leaves in its work directory for other commands: which directory it runs, and the status of its objects. */
import { readFile, realpath, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { readRecords } from '@clearmesh/lab/cleanup/run-record';

export type RunningMesh = {
  /** The directory it was started for. */
  readonly directory: string;
  /** The one it works on: the same, or a copy. */
  readonly manifests: string;
  /** Written by its control plane. */
  readonly statusFile: string;
};

/** Where status goes both ways: what nodes know of pods, what the control plane says of objects. */
export function statusDirectory(workDir: string): string {
  return join(workDir, 'status');
}

/** Where the control plane writes unless told otherwise. */
export function ownStatusOut(workDir: string): string {
  return join(statusDirectory(workDir), 'objects.json');
}

function announcement(workDir: string): string {
  return join(statusDirectory(workDir), 'mesh.json');
}

/** Tells other commands of the mesh in a work directory. */
export async function announce(workDir: string, mesh: RunningMesh): Promise<void> {
  const announced: RunningMesh = { ...mesh, directory: await realpath(mesh.directory) };
  await writeFile(announcement(workDir), JSON.stringify(announced), { mode: 0o644 });
}

/** The meshes of this machine: of one directory, or all. */
export async function runningMeshes(directory?: string): Promise<readonly RunningMesh[]> {
  const wanted = directory === undefined ? undefined : await realpath(directory).catch(() => resolve(directory));
  const { records } = await readRecords();
  const meshes: RunningMesh[] = [];
  for (const { workDir } of records) {
    const text = await readFile(announcement(workDir), 'utf8').catch(() => undefined);
    const mesh = text === undefined ? undefined : (JSON.parse(text) as RunningMesh);
    if (mesh !== undefined && (wanted === undefined || mesh.directory === wanted)) meshes.push(mesh);
  }
  return meshes;
}
