/** Writing waypoints into a cluster. */
import type { ApiClient } from '@clearmesh/control-plane/kubernetes/api-client';
import { objectPath } from '@clearmesh/control-plane/kubernetes/resource';
import { isWaypoint } from '@clearmesh/control-plane/manifest/gateway';
import type { GatewayManifest } from '@clearmesh/control-plane/manifest/gateway';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { apiError, found } from '../mesh/api.ts';
import { gatewayResource, useWaypointLabel } from './gateway.ts';
import type { WaypointGateway } from './gateway.ts';

/** One for all that this command writes, so that it may take back what it set. */
const fieldManager = 'clearmesh';
const namespaces = { apiVersion: 'v1', kind: 'Namespace', plural: 'namespaces' };

/** Server-side: what others set stays theirs. */
export async function applyGateway(api: ApiClient, gateway: WaypointGateway, signal: AbortSignal): Promise<void> {
  await refuseForeign(api, gateway.metadata, signal);
  const answer = await api.call(
    {
      method: 'PATCH',
      path: objectPath(gatewayResource, gateway.metadata),
      query: { fieldManager, force: 'true' },
      body: gateway,
      contentType: 'application/apply-patch+yaml',
    },
    signal,
  );
  if (answer.kind === 'ok') return;
  const { namespace, name } = gateway.metadata;
  if (answer.kind === 'refused' && answer.status === 404) {
    const hint = `Make the namespace ${namespace}, and install the Gateway API: clearmesh check --pre.`;
    throw new MeshError('MESH-KUBE-001', {
      message: `Gateway ${namespace}/${name} cannot be written: there is no such place`,
      hint,
    });
  }
  throw apiError(answer, `Gateway ${namespace}/${name} cannot be written`);
}

type Named = { readonly namespace: string; readonly name: string };

/** An ingress gateway of the same name is somebody else's, and carries traffic. */
async function refuseForeign(api: ApiClient, { namespace, name }: Named, signal: AbortSignal): Promise<void> {
  const path = objectPath(gatewayResource, { namespace, name });
  const there = found(await api.call<GatewayManifest>({ path }, signal), `Gateway ${namespace}/${name} cannot be read`);
  if (there === undefined || isWaypoint(there)) return;
  throw new MeshError('MESH-CONFIG-003', {
    message: `Gateway ${namespace}/${name} is of class ${there.spec.gatewayClassName}, and no waypoint`,
    hint: 'Choose another name for the waypoint; kubectl is the way to change or delete this one.',
  });
}

/** False where there was none. */
export async function deleteGateway(
  api: ApiClient,
  name: { readonly namespace: string; readonly name: string },
  signal: AbortSignal,
): Promise<boolean> {
  await refuseForeign(api, name, signal);
  const answer = await api.call({ method: 'DELETE', path: objectPath(gatewayResource, name) }, signal);
  return found(answer, `Gateway ${name.namespace}/${name.name} cannot be deleted`) !== undefined;
}

type NamespaceObject = { readonly metadata?: { readonly labels?: Readonly<Record<string, string>> } };

/** Sends what goes to the namespace's Services through the waypoint. */
export async function enrollNamespace(
  api: ApiClient,
  { namespace, waypoint, overwrite }: { readonly namespace: string; readonly waypoint: string; readonly overwrite: boolean },
  signal: AbortSignal,
): Promise<void> {
  const path = objectPath(namespaces, { name: namespace });
  const object = found(await api.call<NamespaceObject>({ path }, signal), `namespace ${namespace} cannot be read`);
  const before = object?.metadata?.labels?.[useWaypointLabel];
  if (before !== undefined && before !== waypoint && !overwrite) {
    const hint = 'Give --overwrite to send its traffic through the new one.';
    throw new MeshError('MESH-CONFIG-003', { message: `namespace ${namespace} uses waypoint ${before} already`, hint });
  }
  const body = { metadata: { labels: { [useWaypointLabel]: waypoint } } };
  const answer = await api.call({ method: 'PATCH', path, body, contentType: 'application/merge-patch+json' }, signal);
  if (answer.kind !== 'ok') throw apiError(answer, `namespace ${namespace} cannot be labelled`);
}
