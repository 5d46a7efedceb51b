/** What `clearmesh check` looks at, asked from an API server. */
import type { ApiClient } from '@clearmesh/control-plane/kubernetes/api-client';
import { listAll } from '@clearmesh/control-plane/kubernetes/list';
import { objectPath } from '@clearmesh/control-plane/kubernetes/resource';
import type { Resource } from '@clearmesh/control-plane/kubernetes/resource';
import { readBundle } from '@clearmesh/control-plane/distribute/bundle';
import { defaultDeriveOptions } from '@clearmesh/control-plane/derive/options';
import { apiError, found } from '../mesh/api.ts';
import { clusterObjects } from '../mesh/cluster-objects.ts';
import { meshView } from '../mesh/mesh-view.ts';
import type { Component, FactsAfter } from './after.ts';
import { groupVersions } from './before.ts';

const deployments: Resource = { apiVersion: 'apps/v1', kind: 'Deployment', plural: 'deployments' };
const daemonSets: Resource = { apiVersion: 'apps/v1', kind: 'DaemonSet', plural: 'daemonsets' };
const configMaps: Resource = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps' };

export async function factsAfter(
  api: ApiClient,
  systemNamespace: string,
  nowMs: number,
  signal: AbortSignal,
): Promise<FactsAfter> {
  const objects = await clusterObjects(api, { ...defaultDeriveOptions, rootNamespace: systemNamespace }, signal);
  return {
    view: meshView(objects, nowMs),
    ...(await componentsOf(api, systemNamespace, signal)),
    groupVersions: await groupVersions(api, signal),
    bundles: await bundles(api, signal),
  };
}

/** The parts of the mesh that an installation brings. */
export async function componentsOf(
  api: ApiClient,
  systemNamespace: string,
  signal: AbortSignal,
): Promise<Pick<FactsAfter, 'controlPlane' | 'nodeAgent' | 'ztunnel'>> {
  const at = (resource: Resource, name: string): Promise<Component | undefined | 'forbidden'> =>
    componentAt(api, resource, { namespace: systemNamespace, name }, signal);
  const [controlPlane, nodeAgent, ztunnel] = await Promise.all([
    at(deployments, 'clearmesh-control-plane'),
    at(daemonSets, 'clearmesh-node-agent'),
    at(daemonSets, 'ztunnel'),
  ]);
  return { controlPlane, nodeAgent, ztunnel };
}

type Workload = {
  readonly spec?: { readonly replicas?: number };
  readonly status?: { readonly readyReplicas?: number; readonly desiredNumberScheduled?: number; readonly numberReady?: number };
};

async function componentAt(
  api: ApiClient,
  resource: Resource,
  name: { readonly namespace: string; readonly name: string },
  signal: AbortSignal,
): Promise<Component | undefined | 'forbidden'> {
  const answer = await api.call<Workload>({ path: objectPath(resource, name) }, signal);
  if (answer.kind === 'refused' && answer.status === 403) return 'forbidden';
  const object = found(answer, `${resource.kind} ${name.name} cannot be read`);
  if (object === undefined) return undefined;
  const { spec, status } = object;
  if (resource === daemonSets) return { desired: status?.desiredNumberScheduled ?? 0, ready: status?.numberReady ?? 0 };
  return { desired: spec?.replicas ?? 1, ready: status?.readyReplicas ?? 0 };
}

async function bundles(api: ApiClient, signal: AbortSignal): Promise<FactsAfter['bundles']> {
  const options = { resource: configMaps, fieldSelector: 'metadata.name=istio-ca-root-cert' };
  const listing = await listAll(api, options, (object) => readBundle(object, 'root-cert.pem'), signal);
  if (listing.kind === 'listed') return listing.items;
  if (listing.kind === 'refused' && listing.status === 403) return 'forbidden';
  throw apiError(listing, 'config maps cannot be listed');
}
