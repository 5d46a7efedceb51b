/**
 * Rights that no overlay may give. The control plane makes pods with its own rights: who may write a ConfigMap, but no pods,
 * must not come by a pod that owns the node.
 */
import { isMap } from './strategic-merge.ts';
import type { Json, JsonMap } from './strategic-merge.ts';

export type Loosened = { readonly path: string; readonly message: string };

/** The first right that the Deployment's pods have and a waypoint does not need. */
export function loosened(deployment: JsonMap): Loosened | undefined {
  const pod = mapAt(mapAt(mapAt(deployment, 'spec'), 'template'), 'spec');
  const path = 'spec.template.spec';
  const shared = ['hostNetwork', 'hostPID', 'hostIPC'].find((key) => pod[key] === true);
  if (shared !== undefined) return { path: `${path}.${shared}`, message: 'would share the node with the waypoint' };
  const volume = listAt(pod, 'volumes').findIndex((each) => each['hostPath'] !== undefined);
  if (volume !== -1) return { path: `${path}.volumes[${volume}].hostPath`, message: 'would give the waypoint files of the node' };
  const ofPod = weakened(mapAt(pod, 'securityContext'), `${path}.securityContext`, false);
  if (ofPod !== undefined) return ofPod;
  for (const list of ['initContainers', 'containers']) {
    for (const [index, container] of listAt(pod, list).entries()) {
      const found = weakened(
        mapAt(container, 'securityContext'),
        `${path}.${list}[${index}].securityContext`,
        list === 'containers',
      );
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

/** @param own whether the context must say so itself, as that of a container that runs for good */
function weakened(context: JsonMap, path: string, own: boolean): Loosened | undefined {
  const found = (key: string, message: string): Loosened => ({ path: `${path}.${key}`, message });
  if (context['privileged'] === true) return found('privileged', 'would give the waypoint the node');
  if (context['allowPrivilegeEscalation'] === true) return found('allowPrivilegeEscalation', 'would let it gain rights');
  if (own && context['allowPrivilegeEscalation'] !== false) return found('allowPrivilegeEscalation', 'must be false');
  if (context['runAsUser'] === 0) return found('runAsUser', 'must not be root');
  if (context['runAsNonRoot'] === false) return found('runAsNonRoot', 'must be true');
  if (listOf(mapAt(context, 'capabilities')['add']).length > 0) return found('capabilities.add', 'must be empty');
  const { type } = mapAt(context, 'seccompProfile');
  return type === 'Unconfined' ? found('seccompProfile.type', 'must not be Unconfined') : undefined;
}

function mapAt(map: JsonMap, key: string): JsonMap {
  const value = map[key];
  return isMap(value) ? value : {};
}

function listAt(map: JsonMap, key: string): readonly JsonMap[] {
  return listOf(map[key]).map((each) => (isMap(each) ? each : {}));
}

function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? (value as readonly Json[]) : [];
}
