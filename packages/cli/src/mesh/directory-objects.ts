/** A directory of manifests as objects of a mesh, read once, by the control plane's own rules. */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { derive } from '@clearmesh/control-plane/derive/derive';
import { reportStatus } from '@clearmesh/control-plane/report/report';
import { ManifestDirectory } from '@clearmesh/control-plane/watch/manifest-directory';
import type { DeriveOptions } from '@clearmesh/control-plane/derive/options';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { ManifestErrors } from '../up/manifest-errors.ts';
import type { MeshObjects } from './mesh-view.ts';
import { asIfRunning } from './running-collections.ts';

export type DirectoryPlace = { readonly kind: 'directory'; readonly directory: string; readonly ifEnrolled: boolean };

/** {@link ManifestErrors} when the directory is refused. */
export async function directoryObjects(
  { directory, ifEnrolled }: DirectoryPlace,
  options: DeriveOptions,
  nowMs: number,
  signal: AbortSignal,
): Promise<MeshObjects> {
  const path = resolve(directory);
  const isDirectory = await stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
  if (!isDirectory) {
    const hint = 'Name a directory of YAML manifests, or leave --directory out to ask a cluster.';
    throw new MeshError('MESH-CONFIG-003', { message: `--directory: ${directory} is no directory`, hint });
  }
  const { rootNamespace, requirePermissiveExpiry } = options;
  const reader = new ManifestDirectory({ directory: path, rules: { rootNamespace, requirePermissiveExpiry } });
  const reading = await reader.read(signal);
  if (reading.kind === 'rejected') throw new ManifestErrors(reading.problems);
  const collections = asIfRunning(reading.collections, { systemNamespace: rootNamespace, ifEnrolled });
  const configured = { collections, model: derive(collections, options, nowMs), nowMs };
  const report = reportStatus({ configured, refusals: new Map(), problems: [] }, options);
  return {
    origin: `directory ${directory}`,
    collections,
    options,
    problems: [],
    conditions: new Map(Object.entries(report.objects).map(([key, { conditions = [] }]) => [key, conditions])),
    remarks: [
      'read from files: pods count as running, ready and captured where they are enrolled; their addresses are made up',
      ...(ifEnrolled ? ['as if every namespace were labelled istio.io/dataplane-mode: ambient'] : []),
    ],
  };
}
