/** CoreDNS as the cluster's DNS server: names of services and of their pods, and for all else the answer that it does not exist. */
import { dnsServiceIp } from '../plan.ts';
import { corednsImage } from './names.ts';

/** Two servers, since the plugin that answers "no such name" would come before that of Kubernetes in one. */
const corefile = `cluster.local:53 in-addr.arpa:53 ip6.arpa:53 {
  errors
  health
  ready
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    pods insecure
    ttl 5
  }
}
.:53 {
  errors
  template ANY ANY {
    rcode NXDOMAIN
  }
}
`;

const where = { name: 'coredns', namespace: 'kube-system' };
const labels = { 'k8s-app': 'kube-dns' };

const rules = [
  { apiGroups: [''], resources: ['endpoints', 'services', 'pods', 'namespaces'], verbs: ['list', 'watch'] },
  { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
];

const container = {
  name: 'coredns',
  image: corednsImage,
  imagePullPolicy: 'Never',
  args: ['-conf', '/etc/coredns/Corefile'],
  ports: [
    { name: 'dns', containerPort: 53, protocol: 'UDP' },
    { name: 'dns-tcp', containerPort: 53, protocol: 'TCP' },
  ],
  readinessProbe: { httpGet: { path: '/ready', port: 8181 }, periodSeconds: 1 },
  livenessProbe: { httpGet: { path: '/health', port: 8080 }, initialDelaySeconds: 10 },
  resources: { requests: { cpu: '10m', memory: '30Mi' } },
  volumeMounts: [{ name: 'config', mountPath: '/etc/coredns', readOnly: true }],
};

/** What `kubectl apply` takes. */
export function dnsManifests(): string {
  const items = [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: where },
    { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: 'system:coredns' }, rules },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: 'system:coredns' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'system:coredns' },
      subjects: [{ kind: 'ServiceAccount', ...where }],
    },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: where, data: { Corefile: corefile } },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { ...where, labels },
      spec: {
        replicas: 1,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            serviceAccountName: 'coredns',
            // CoreDNS resolves nothing through the resolver of its pod.
            dnsPolicy: 'Default',
            tolerations: [{ operator: 'Exists' }],
            containers: [container],
            volumes: [{ name: 'config', configMap: { name: 'coredns' } }],
          },
        },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'kube-dns', namespace: 'kube-system', labels },
      spec: {
        clusterIP: dnsServiceIp,
        selector: labels,
        ports: [
          { name: 'dns', port: 53, protocol: 'UDP' },
          { name: 'dns-tcp', port: 53, protocol: 'TCP' },
        ],
      },
    },
  ];
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
}
