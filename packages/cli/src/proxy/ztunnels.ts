/** Which ztunnels are asked: one a node. */
import type { ApiClient } from '@clearmesh/control-plane/kubernetes/api-client';
import { objectPath } from '@clearmesh/control-plane/kubernetes/resource';
import type { ApiObject } from '@clearmesh/control-plane/kubernetes/resource';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { found, listOf } from '../mesh/api.ts';

export type ZtunnelPod = { readonly namespace: string; readonly pod: string; readonly node: string };

const pods = { apiVersion: 'v1', kind: 'Pod', plural: 'pods' };

type PodObject = ApiObject & {
  readonly spec?: { readonly nodeName?: string };
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
};

/** @param of a node, or a pod as `namespace/name` whose node is meant; without it every node's */
export async function ztunnels(
  api: ApiClient,
  systemNamespace: string,
  of: string | undefined,
  signal: AbortSignal,
): Promise<readonly ZtunnelPod[]> {
  const selection = { namespace: systemNamespace, labelSelector: 'app=ztunnel' };
  const listed = (await listOf(api, pods, (object) => object as PodObject, signal, selection)) ?? [];
  const ready = listed
    .filter(isReady)
    .map(({ metadata, spec }) => ({ namespace: systemNamespace, pod: metadata.name, node: spec?.nodeName ?? '' }));
  if (ready.length === 0) {
    const hint =
      'Install the mesh (charts/clearmesh), or say where it lives: --system-namespace. clearmesh check says what is missing.';
    throw new MeshError('MESH-CONFIG-003', { message: `no ztunnel is ready in namespace ${systemNamespace}`, hint });
  }
  const node = of === undefined ? undefined : of.includes('/') ? await nodeOf(api, of, signal) : of;
  const meant = ready.filter((each) => node === undefined || each.node === node);
  if (meant.length > 0) return meant;
  const hint = `Ztunnels are ready on ${ready.map((each) => each.node).join(', ')}. Write a node, or a pod as namespace/name.`;
  throw new MeshError('MESH-CONFIG-003', { message: `no ztunnel is ready on node ${node ?? ''}`, hint });
}

async function nodeOf(api: ApiClient, pod: string, signal: AbortSignal): Promise<string> {
  const [namespace = '', name = ''] = pod.split('/');
  const answer = await api.call<PodObject>({ path: objectPath(pods, { namespace, name }) }, signal);
  const node = found(answer, `pod ${pod} cannot be read`)?.spec?.nodeName;
  if (node !== undefined) return node;
  throw new MeshError('MESH-CONFIG-003', {
    message: `there is no pod ${pod} on any node`,
    hint: 'Write a pod as namespace/name; kubectl get pods -A lists them.',
  });
}

function isReady({ status }: PodObject): boolean {
  return status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') === true;
}
