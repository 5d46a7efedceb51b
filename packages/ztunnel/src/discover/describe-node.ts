/** Whom the control plane gives the mesh to (l4-contract section 3.1). */
import { create } from '@bufbuild/protobuf';
import { nodeMetadata } from '@clearmesh/shared/discovery/node-metadata';
import type { Environment } from '@clearmesh/shared/lifecycle/environment';
import { NodeSchema } from '@clearmesh/shared/wire/gen/xds/discovery_pb';
import type { Node } from '@clearmesh/shared/wire/gen/xds/discovery_pb';
import type { ZtunnelConfig } from '../config.ts';

/** The type is in the id's prefix, the node in the metadata. */
export function describeNode(
  { mode, node, clusterId }: Pick<ZtunnelConfig, 'mode' | 'node' | 'clusterId'>,
  env: Environment,
): Node {
  const { name, podName, podNamespace, instanceIp } = node;
  return create(NodeSchema, {
    id: `ztunnel~${instanceIp}~${podName}.${podNamespace}~${podNamespace}.svc.cluster.local`,
    metadata: {
      ...nodeMetadata(env),
      NAME: podName,
      NAMESPACE: podNamespace,
      INSTANCE_IPS: instanceIp,
      NODE_NAME: name,
      CLUSTER_ID: clusterId,
      // So that a token of another account is noticed at once, rather than at the first certificate.
      ...(mode.kind === 'dedicated' ? { SERVICE_ACCOUNT: mode.workload.serviceAccount } : {}),
    },
  });
}
