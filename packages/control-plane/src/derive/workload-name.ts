/** The name of what runs a pod, found from its labels and owner (control-plane-contract section 2.3). */
import type { OwnerReference } from '../manifest/metadata.ts';
import type { PodManifest } from '../manifest/pod.ts';

/** Name of the Deployment, CronJob, StatefulSet … behind a pod, else the pod's own name. */
export function workloadName(pod: PodManifest): string {
  const { labels = {}, name, generateName = '', ownerReferences = [] } = pod.metadata;
  const labelled = labels['service.istio.io/workload-name'];
  if (labelled !== undefined) return labelled;
  const owner = ownerReferences.find((reference) => reference.controller === true);
  // Controllers set generateName; an owner without it was written by hand and proves nothing.
  return owner === undefined || generateName === '' ? name : ownerName(owner, labels);
}

function ownerName(owner: OwnerReference, labels: Readonly<Record<string, string>>): string {
  switch (owner.kind) {
    case 'ReplicaSet':
      return deploymentName(owner.name, labels);
    case 'ReplicationController':
      return labels['deploymentconfig'] || owner.name;
    case 'Job':
      return cronJobName(owner.name);
    default:
      return owner.name;
  }
}

/** `<deployment>-<hash>` loses the hash when the pod carries that hash: of a Deployment, or of an Argo Rollout. */
function deploymentName(replicaSet: string, labels: Readonly<Record<string, string>>): string {
  for (const key of ['pod-template-hash', 'rollouts-pod-template-hash']) {
    const hash = labels[key];
    if (hash !== undefined && hash !== '' && replicaSet.endsWith(`-${hash}`)) return replicaSet.slice(0, -hash.length - 1);
  }
  return replicaSet;
}

/** A CronJob names its Jobs by the minute they are due: 8 to 10 digits. */
function cronJobName(job: string): string {
  return /^(?<cronJob>.+)-\d{8,10}$/.exec(job)?.groups?.['cronJob'] ?? job;
}
