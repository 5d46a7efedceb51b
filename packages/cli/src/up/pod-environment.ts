/** The environment a pod's process gets, with the fields of the pod filled in. Pure. */
import type { DesiredPod, PodField } from './desired-pod.ts';

export function podEnvironment(
  pod: DesiredPod,
  facts: { readonly uid: string; readonly ip: string },
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
  return { HOSTNAME: pod.name, ...pod.container.env, ...Object.fromEntries(fromFields) };
}
