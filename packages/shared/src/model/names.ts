/** The keys by which resources name each other (l4-contract section 3.2). */

declare const brand: unique symbol;

/** Identifier of a workload, such as `Kubernetes//Pod/payments/payments-0`. */
export type WorkloadUid = string & { readonly [brand]: 'WorkloadUid' };

/** `namespace/hostname` of a service. */
export type ServiceKey = string & { readonly [brand]: 'ServiceKey' };

/** `namespace/name` of a policy. */
export type PolicyKey = string & { readonly [brand]: 'PolicyKey' };

export function serviceKey(namespace: string, hostname: string): ServiceKey {
  return `${namespace}/${hostname}` as ServiceKey;
}

export function policyKey(namespace: string, name: string): PolicyKey {
  return `${namespace}/${name}` as PolicyKey;
}

export function podUid(clusterId: string, namespace: string, name: string): WorkloadUid {
  return `${clusterId}//Pod/${namespace}/${name}` as WorkloadUid;
}

export function workloadEntryUid(clusterId: string, namespace: string, name: string): WorkloadUid {
  return `${clusterId}/networking.istio.io/WorkloadEntry/${namespace}/${name}` as WorkloadUid;
}

/** Of one endpoint of a ServiceEntry; `address` may be a host name. */
export function entryEndpointUid(clusterId: string, namespace: string, name: string, address: string): WorkloadUid {
  return `${clusterId}/networking.istio.io/ServiceEntry/${namespace}/${name}/${address}` as WorkloadUid;
}

/** Of one endpoint of a slice, by its first address. */
export function sliceEndpointUid(clusterId: string, namespace: string, name: string, address: string): WorkloadUid {
  return `${clusterId}/discovery.k8s.io/EndpointSlice/${namespace}/${name}/${address}` as WorkloadUid;
}

/** Of the gateway of another network; `host` is an address or a hostname. */
export function networkGatewayUid(network: string, host: string, port: number): WorkloadUid {
  return `NetworkGateway/${network}/${host}/${port}` as WorkloadUid;
}
