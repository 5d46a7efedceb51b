/** An Istio as far as the charts look for one. */
export function istioObjects(): readonly object[] {
  const workload = (kind: string, name: string, label: Readonly<Record<string, string>>): object => ({
    apiVersion: 'apps/v1',
    kind,
    metadata: { name, namespace: 'istio-system', labels: label },
    spec: {
      selector: { matchLabels: label },
      template: { metadata: { labels: label }, spec: { containers: [{ name: 'one', image: 'one' }] } },
    },
  });
  return [
    workload('Deployment', 'istiod', { app: 'istiod' }),
    workload('DaemonSet', 'istio-cni-node', { 'k8s-app': 'istio-cni-node' }),
    workload('DaemonSet', 'ztunnel', { app: 'ztunnel' }),
    {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'GatewayClass',
      metadata: { name: 'istio-waypoint' },
      spec: { controllerName: 'istio.io/mesh-controller' },
    },
  ];
}
