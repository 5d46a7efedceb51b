/** Where the status comes from: a file, or the running mesh of a directory. */
import { readFile } from 'node:fs/promises';
import { objectName } from '@clearmesh/control-plane/manifest/collections';
import { parseManifestFile } from '@clearmesh/control-plane/watch/manifest-file';
import type { StatusReport } from '@clearmesh/control-plane/report/status-report';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { manifestFiles, manifestRules } from '../up/manifests.ts';
import { runningMeshes } from '../up/run-directory.ts';
import type { RunningMesh } from '../up/run-directory.ts';

export type StatusPlace = {
  /** Directory of manifests that a mesh runs. */
  readonly directory?: string;
  /** File that a control plane writes. */
  readonly file?: string;
};

/** The report, with an empty status for objects of the directory of which nothing is said; MESH-CONFIG-003 when there is none. */
export async function readStatus({ directory, file }: StatusPlace): Promise<StatusReport> {
  if (file !== undefined) return readReport(file);
  const mesh = await runningMesh(directory);
  const report = await readReport(mesh.statusFile);
  const unsaid = await objectKeys(mesh.manifests);
  return { ...report, objects: { ...Object.fromEntries(unsaid.map((key) => [key, {}])), ...report.objects } };
}

async function runningMesh(directory: string | undefined): Promise<RunningMesh> {
  const found = await runningMeshes(directory);
  const [mesh, another] = found;
  if (mesh !== undefined && another === undefined) return mesh;
  const which = directory === undefined ? 'no mesh runs here' : `no mesh runs ${directory}`;
  throw new MeshError('MESH-CONFIG-003', {
    message: mesh === undefined ? which : `several meshes run: ${found.map((each) => each.directory).join(', ')}`,
    hint:
      mesh === undefined
        ? 'Start one with clearmesh up -f DIR. One of another user, or without root, is asked by its file: up --status-out FILE, get --status FILE.'
        : 'Say which with -f DIR or --status FILE.',
  });
}

async function readReport(file: string): Promise<StatusReport> {
  const hint = 'Name the file that clearmesh up, or a control plane, writes: their flag --status-out.';
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new MeshError('MESH-CONFIG-003', { message: `the status cannot be read from ${file}`, hint, cause });
  });
  const report = parseReport(text);
  if (report === undefined) throw new MeshError('MESH-CONFIG-003', { message: `${file} holds no status of objects`, hint });
  return report;
}

function parseReport(text: string): StatusReport | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isReport = typeof value === 'object' && value !== null && 'objects' in value && 'rejections' in value;
    return isReport ? (value as StatusReport) : undefined;
  } catch {
    return undefined;
  }
}

/** Of the objects that can be read; what cannot is in the report's rejections. */
async function objectKeys(directory: string): Promise<readonly string[]> {
  const files = await manifestFiles(directory).catch(() => []);
  const keys: string[] = [];
  for (const file of files) {
    const { objects } = parseManifestFile(file, await readFile(file, 'utf8').catch(() => ''), manifestRules);
    keys.push(...objects.map(({ manifest: { kind, value } }) => `${kind} ${objectName(value.metadata)}`));
  }
  return keys;
}
