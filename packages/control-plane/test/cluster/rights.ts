/** What a control plane may do in a cluster, and no more: the tests run under these rights. */

export type PolicyRule = {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
};

const read = ['get', 'list', 'watch'];

/** In all namespaces. */
export const clusterRules: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['namespaces', 'nodes', 'pods', 'services'], verbs: read },
  {
    apiGroups: ['security.istio.io'],
    resources: ['authorizationpolicies', 'peerauthentications', 'requestauthentications'],
    verbs: read,
  },
  {
    apiGroups: ['gateway.networking.k8s.io'],
    resources: ['gateways', 'httproutes', 'grpcroutes', 'referencegrants'],
    verbs: read,
  },
  { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: read },
  { apiGroups: ['networking.istio.io'], resources: ['serviceentries', 'workloadentries'], verbs: read },
  {
    apiGroups: ['clearmesh.io'],
    resources: ['resiliencepolicies', 'ratelimitpolicies', 'opapolicies', 'faultexperiments', 'bankingdomains'],
    verbs: read,
  },
  { apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] },
  { apiGroups: [''], resources: ['configmaps'], verbs: ['create'] },
  { apiGroups: [''], resources: ['configmaps'], verbs: [...read, 'patch'], resourceNames: ['istio-ca-root-cert'] },
  { apiGroups: [''], resources: ['services/status'], verbs: ['patch'] },
  {
    apiGroups: ['security.istio.io'],
    resources: ['authorizationpolicies/status', 'peerauthentications/status', 'requestauthentications/status'],
    verbs: ['patch'],
  },
  {
    apiGroups: ['networking.istio.io'],
    resources: ['serviceentries/status', 'workloadentries/status'],
    verbs: ['patch'],
  },
  {
    apiGroups: ['gateway.networking.k8s.io'],
    resources: ['gateways/status', 'httproutes/status', 'grpcroutes/status'],
    verbs: ['patch'],
  },
  {
    apiGroups: ['clearmesh.io'],
    resources: [
      'resiliencepolicies/status',
      'ratelimitpolicies/status',
      'opapolicies/status',
      'faultexperiments/status',
      'bankingdomains/status',
    ],
    verbs: ['patch'],
  },
];

/** In the system namespace. */
export const systemRules: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['secrets'], verbs: ['create'] },
  { apiGroups: [''], resources: ['secrets'], verbs: ['get'], resourceNames: ['clearmesh-ca-secret', 'cacerts'] },
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create'] },
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['get', 'update'], resourceNames: ['clearmesh-status'] },
];
