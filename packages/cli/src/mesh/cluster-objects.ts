/** A cluster as objects of a mesh: every kind listed once, and read as the control plane reads it. */
import { ApiClient } from '@clearmesh/control-plane/kubernetes/api-client';
import { listAll } from '@clearmesh/control-plane/kubernetes/list';
import { objectPath } from '@clearmesh/control-plane/kubernetes/resource';
import { readClusterObject } from '@clearmesh/control-plane/watch/cluster-object';
import { clusterSnapshot } from '@clearmesh/control-plane/watch/cluster-snapshot';
import { ObjectStore } from '@clearmesh/control-plane/watch/object-store';
import { stoodForKinds } from '@clearmesh/control-plane/watch/stand-in';
import { watchedKinds } from '@clearmesh/control-plane/watch/watched-resources';
import type { DeriveOptions } from '@clearmesh/control-plane/derive/options';
import type { Condition } from '@clearmesh/control-plane/report/status-report';
import type { ClusterObject } from '@clearmesh/control-plane/watch/cluster-object';
import type { PeerAuthenticationRules } from '@clearmesh/control-plane/watch/check-peer-authentication';
import type { Problem } from '@clearmesh/shared/document/problem';
import type { WatchedKind } from '@clearmesh/control-plane/watch/watched-resources';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { apiError, found } from './api.ts';
import { openCluster } from './cluster-access.ts';
import type { ClusterPlace } from './cluster-access.ts';
import type { MeshObjects } from './mesh-view.ts';
import { optionsFromArguments } from './mesh-options.ts';

type Deps = { readonly clock: Clock; readonly env: Readonly<Record<string, string | undefined>> };

/** The client of a cluster, with the name of its context. */
export async function clusterClient(place: ClusterPlace, { clock, env }: Deps): Promise<ApiClient> {
  return new ApiClient({ maxSockets: 8 }, { kubeConfig: await openCluster(place, env), clock });
}

function clusterName({ kubeConfig }: ApiClient): string {
  return `cluster ${kubeConfig.getCurrentContext() || (kubeConfig.getCurrentCluster()?.server ?? '')}`;
}

/** As kubernetes-source.ts, but once: a kind that may not be read is an error where the mesh cannot be told without it. */
export async function clusterObjects(api: ApiClient, base: DeriveOptions, signal: AbortSignal): Promise<MeshObjects> {
  const told = await controlPlaneOptions(api, base, signal);
  const { rootNamespace, requirePermissiveExpiry } = told.options;
  const rules = { rootNamespace, requirePermissiveExpiry };
  const read = await Promise.all(watchedKinds().map((kind) => readKind(api, kind, rules, signal)));
  const { collections, problems } = clusterSnapshot(new Map(read.map(({ kind, store }) => [kind, store.objects])));
  return {
    origin: clusterName(api),
    collections,
    options: told.options,
    problems,
    conditions: new Map(read.flatMap(({ kind, store }) => [...store.objects].map(({ object }) => conditionsAt(kind, object)))),
    remarks: [...told.remarks, ...read.flatMap(({ remark }) => remark ?? [])],
  };
}

/** What a control plane that started now would find wrong with policies that keep callers out. */
export async function policyProblems(
  api: ApiClient,
  base: DeriveOptions,
  signal: AbortSignal,
): Promise<readonly Problem[] | 'forbidden'> {
  const { rootNamespace, requirePermissiveExpiry } = (await controlPlaneOptions(api, base, signal)).options;
  const rules = { rootNamespace, requirePermissiveExpiry };
  const kinds = watchedKinds().filter(({ kind }) => stoodForKinds.has(kind.kind));
  const read = await Promise.all(kinds.map((kind) => readKind(api, { ...kind, required: false }, rules, signal)));
  if (read.some(({ remark }) => remark !== undefined)) return 'forbidden';
  return clusterSnapshot(new Map(read.map(({ kind, store }) => [kind, store.objects]))).problems;
}

type ReadKind = { readonly kind: string; readonly store: ObjectStore; readonly remark?: string };

async function readKind(
  api: ApiClient,
  watched: WatchedKind,
  rules: PeerAuthenticationRules,
  signal: AbortSignal,
): Promise<ReadKind> {
  const { kind } = watched.kind;
  const store = new ObjectStore();
  for (const resource of watched.resources) {
    const listing = await listAll(api, { resource }, (object) => readClusterObject(object, watched, rules), signal);
    if (listing.kind === 'listed') {
      store.replaceAll(listing.items);
      return { kind, store };
    }
    const what = `${resource.plural} cannot be listed`;
    if (listing.kind === 'unreachable' || (listing.status !== 404 && listing.status !== 403)) throw apiError(listing, what);
    if (listing.status !== 403) continue;
    if (watched.required === true) throw apiError(listing, what);
    return { kind, store, remark: `${resource.plural} may not be read by you, and are left out` };
  }
  return { kind, store };
}

type Container = { readonly args?: readonly string[] };
type Deployment = { readonly spec?: { readonly template?: { readonly spec?: { readonly containers?: readonly Container[] } } } };

const deployments = { apiVersion: 'apps/v1', kind: 'Deployment', plural: 'deployments' };

async function controlPlaneOptions(
  api: ApiClient,
  base: DeriveOptions,
  signal: AbortSignal,
): Promise<{ readonly options: DeriveOptions; readonly remarks: readonly string[] }> {
  const namespace = base.rootNamespace;
  const path = objectPath(deployments, { namespace, name: 'clearmesh-control-plane' });
  const answer = await api.call<Deployment>({ path }, signal);
  if (answer.kind === 'refused' && answer.status === 403)
    return {
      options: base,
      remarks: [`deployments of ${namespace} may not be read by you: the control plane's defaults are assumed`],
    };
  const deployment = found(answer, 'the control plane cannot be looked up');
  if (deployment === undefined)
    return {
      options: base,
      remarks: [`no control plane in namespace ${namespace}: this is what one with default flags would say`],
    };
  const args = deployment.spec?.template?.spec?.containers?.flatMap((container) => container.args ?? []) ?? [];
  return { options: optionsFromArguments(args, base), remarks: [] };
}

function conditionsAt(kind: string, { key, status }: ClusterObject): readonly [string, readonly Condition[]] {
  const list = (status as { readonly conditions?: readonly Partial<Condition>[] } | undefined)?.conditions ?? [];
  const conditions = list.map(({ type = '', status: value = 'Unknown', reason = '', message = '' }) => {
    return { type, status: value, reason, message };
  });
  return [`${kind} ${key}`, conditions];
}
