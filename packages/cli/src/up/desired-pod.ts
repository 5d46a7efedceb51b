/** A pod as the manifests want it, with everything the node needs to run it. */

import type { Redirection } from '@clearmesh/node-agent/redirect/redirection';

export type ContainerSpec = {
  /** Program and arguments: `command` followed by `args`. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Environment variables taken from the pod's own fields, such as `status.podIP`. */
  readonly envFromFields: Readonly<Record<string, PodField>>;
  /** As written; relative to the manifests' directory, which stands for the image's file system. */
  readonly workingDir: string;
  /** The first TCP containerPort; the pod is ready when it accepts connections. Absent: ready when it runs. */
  readonly port?: number;
  /** TCP ports by name, for services that target a name. */
  readonly namedPorts: Readonly<Record<string, number>>;
};

export type PodField =
  | 'metadata.name'
  | 'metadata.namespace'
  | 'metadata.uid'
  | 'spec.nodeName'
  | 'spec.serviceAccountName'
  | 'status.podIP';

export type DesiredPod = {
  /** `namespace/name`. */
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly nodeName: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly container: ContainerSpec;
  /** In the mesh, by the labels of pod and namespace. */
  readonly enrolled: boolean;
  /** How its traffic is captured, by its annotations. */
  readonly redirection: Redirection;
  /** Where it wants a token of its service account; absent: it gets none. */
  readonly tokenFile?: string;
  /** Asked to end (`metadata.deletionTimestamp`); stays until its file says otherwise. */
  readonly terminating: boolean;
  /** Seconds between SIGTERM and SIGKILL. */
  readonly graceSeconds: number;
};

/** Equal for pods that can go on as they are; labels and enrolment may change under a running pod. */
export function fingerprint(pod: DesiredPod): string {
  return JSON.stringify([pod.nodeName, pod.serviceAccount, pod.container]);
}
