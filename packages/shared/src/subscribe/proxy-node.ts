/** The node that a proxy describes itself as to the control plane (l4-contract section 3.1). */
import { create } from '@bufbuild/protobuf';
import type { JsonObject } from '@bufbuild/protobuf';
import { NodeSchema } from '../wire/gen/xds/discovery_pb.ts';
import type { Node } from '../wire/gen/xds/discovery_pb.ts';

export type ProxyNodeFacts = {
  /** @default '1.1.1.1', as upstream */
  readonly instanceIp?: string;
  readonly podName: string;
  readonly podNamespace: string;
  readonly nodeName: string;
  /** Further metadata, such as `CLUSTER_ID`. */
  readonly metadata?: JsonObject;
};

/** The prefix `ztunnel~` tells the control plane which kind of proxy this is. */
export function proxyNode(facts: ProxyNodeFacts): Node {
  const { instanceIp = '1.1.1.1', podName, podNamespace, nodeName } = facts;
  return create(NodeSchema, {
    id: `ztunnel~${instanceIp}~${podName}.${podNamespace}~${podNamespace}.svc.cluster.local`,
    metadata: { NAME: podName, NAMESPACE: podNamespace, INSTANCE_IPS: instanceIp, NODE_NAME: nodeName, ...facts.metadata },
  });
}
