import { Type } from 'typebox';
import { parseIp } from '@clearmesh/shared/model/ip-address';
import { defineKind } from './kind.ts';
import { namespacedMetadata } from './metadata.ts';
import type { Kind } from './kind.ts';
import type { NamespacedMetadata } from './metadata.ts';

export type ContainerPort = { readonly name?: string; readonly containerPort: number; readonly protocol?: string };

export type Container = { readonly ports?: readonly ContainerPort[]; readonly restartPolicy?: string };

export type PodCondition = { readonly type: string; readonly status: string };

export type PodStatus = {
  readonly phase?: string;
  readonly podIP?: string;
  readonly podIPs?: readonly { readonly ip: string }[];
  readonly conditions?: readonly PodCondition[];
};

export type PodManifest = {
  readonly metadata: NamespacedMetadata;
  readonly spec?: {
    readonly nodeName?: string;
    readonly serviceAccountName?: string;
    readonly hostNetwork?: boolean;
    readonly containers?: readonly Container[];
    readonly initContainers?: readonly Container[];
  };
  readonly status?: PodStatus;
};

/** An address in `status`; empty while there is none. */
const address = Type.Refine(
  Type.String(),
  (text) => text === '' || parseIp(text) !== undefined,
  () => 'an IP address, such as 10.244.1.2',
);
const portNumber = Type.Integer({ minimum: 1, maximum: 65_535 });
const container = Type.Object({
  ports: Type.Optional(
    Type.Array(
      Type.Object({
        name: Type.Optional(Type.String()),
        containerPort: portNumber,
        protocol: Type.Optional(Type.Enum(['TCP', 'UDP', 'SCTP'])),
      }),
    ),
  ),
  restartPolicy: Type.Optional(Type.String()),
});

/** RFC 1123 subdomain: the account becomes part of a SPIFFE path. */
export const serviceAccountName: Type.TUnsafe<string> = Type.Unsafe<string>(
  Type.Refine(
    Type.String(),
    (text) => text === '' || /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(text),
    () => 'the name of a ServiceAccount: lower-case letters, digits, "-" and "."',
  ),
);

export const podKind: Kind<PodManifest> = defineKind(
  { kind: 'Pod', apiVersions: ['v1'], scope: 'namespaced' },
  Type.Object({
    metadata: namespacedMetadata,
    spec: Type.Optional(
      Type.Object({
        nodeName: Type.Optional(Type.String()),
        serviceAccountName: Type.Optional(serviceAccountName),
        hostNetwork: Type.Optional(Type.Boolean()),
        containers: Type.Optional(Type.Array(container)),
        initContainers: Type.Optional(Type.Array(container)),
      }),
    ),
    status: Type.Optional(
      Type.Object({
        phase: Type.Optional(Type.Enum(['Pending', 'Running', 'Succeeded', 'Failed', 'Unknown'])),
        podIP: Type.Optional(address),
        podIPs: Type.Optional(Type.Array(Type.Object({ ip: address }))),
        conditions: Type.Optional(Type.Array(Type.Object({ type: Type.String(), status: Type.String() }))),
      }),
    ),
  }),
);

/** The addresses of a pod in canonical form: `podIPs`, else `podIP`; none while it has not started. */
export function podAddresses(pod: PodManifest): readonly string[] {
  const { podIPs = [], podIP = '' } = pod.status ?? {};
  const texts = podIPs.length > 0 ? podIPs.map((entry) => entry.ip) : [podIP];
  return texts.filter((text) => text !== '');
}

/** True once every container has ended for good: such a pod keeps its address on paper only. */
export function isFinished(pod: PodManifest): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

/** `ns/sa` of a pod's account; Kubernetes fills in `default`. */
export function serviceAccountOf(pod: PodManifest): string {
  return pod.spec?.serviceAccountName || 'default';
}
