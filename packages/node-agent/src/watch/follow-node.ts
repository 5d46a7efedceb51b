/** What a node's agent hears of the Kubernetes API: the pods of its node, and all namespaces, for their labels. */
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { KubeApi } from './kube-api.ts';
import type { NodeView } from './node-view.ts';
import { Reflector } from './reflector.ts';
import type { ReflectorDeps } from './reflector.ts';

export type FollowNodeDeps = {
  readonly view: NodeView;
  readonly api: Pick<KubeApi, 'get' | 'watch'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
};

/** Keeps the view in step with the API until the signal aborts; never rejects. */
export async function followNode(node: string, deps: FollowNodeDeps, signal: AbortSignal): Promise<void> {
  const { view } = deps;
  const pods = reflectorOf('pods', `spec.nodeName=${node}`, deps, {
    onList: (objects) => view.recvPods(objects),
    onUpsert: (object) => view.recvPod(object),
    onDelete: (object) => view.recvPodGone(object),
  });
  const namespaces = reflectorOf('namespaces', undefined, deps, {
    onList: (objects) => view.recvNamespaces(objects),
    onUpsert: (object) => view.recvNamespace(object),
    onDelete: (object) => view.recvNamespaceGone(object),
  });
  await Promise.all([pods.run(signal), namespaces.run(signal)]);
}

function reflectorOf(
  name: 'pods' | 'namespaces',
  fieldSelector: string | undefined,
  { view, ...deps }: FollowNodeDeps,
  events: Pick<ReflectorDeps, 'onList' | 'onUpsert' | 'onDelete'>,
): Reflector {
  const options = { name, path: `/api/v1/${name}`, ...(fieldSelector === undefined ? {} : { fieldSelector }) };
  return new Reflector(options, { ...deps, ...events, onLive: (live) => view.recvLive(name, live) });
}
