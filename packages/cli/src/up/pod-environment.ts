/** The environment a pod's process gets, with the fields of the pod filled in; what the manifest says wins over what the mesh injects. Pure. */
import type { DesiredPod, PodField } from './desired-pod.ts';

export function podEnvironment(
  pod: DesiredPod,
  facts: { readonly uid: string; readonly ip: string; readonly scratch: string },
  injected: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const fields: Readonly<Record<PodField, string>> = {
    'metadata.name': pod.name,
    'metadata.namespace': pod.namespace,
    'metadata.uid': facts.uid,
    'spec.nodeName': pod.nodeName,
    'spec.serviceAccountName': pod.serviceAccount,
    'status.podIP': facts.ip,
  };
  const fromFields = Object.entries(pod.container.envFromFields).map(([name, field]) => [name, fields[field]]);
  return { HOSTNAME: pod.name, TMPDIR: facts.scratch, ...injected, ...pod.container.env, ...Object.fromEntries(fromFields) };
}
