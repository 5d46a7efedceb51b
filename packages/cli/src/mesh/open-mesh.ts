/** The mesh that a command is asked about: of a cluster, or of a directory. */
import { defaultDeriveOptions } from '@clearmesh/control-plane/derive/options';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { clusterClient, clusterObjects } from './cluster-objects.ts';
import type { ClusterPlace } from './cluster-access.ts';
import { directoryObjects } from './directory-objects.ts';
import type { DirectoryPlace } from './directory-objects.ts';
import { meshView } from './mesh-view.ts';
import type { MeshView } from './mesh-view.ts';

/** Where to look. */
export type MeshPlace = (ClusterPlace | DirectoryPlace) & { readonly systemNamespace: string };

export type MeshDeps = { readonly clock: Clock; readonly env: Readonly<Record<string, string | undefined>> };

export async function openMesh(place: MeshPlace, deps: MeshDeps, signal: AbortSignal): Promise<MeshView> {
  const base = { ...defaultDeriveOptions, rootNamespace: place.systemNamespace };
  const nowMs = deps.clock.now();
  if (place.kind === 'directory') return meshView(await directoryObjects(place, base, nowMs, signal), nowMs);
  using api = await clusterClient(place, deps);
  return meshView(await clusterObjects(api, base, signal), nowMs);
}
