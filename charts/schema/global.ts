/** Values that all charts share. */
import { flag, list, map, object, oneOf, patterns, text } from './schema.ts';
import type { Schema } from './schema.ts';

export const global: Schema = object('The same for all charts of Clearmesh.', {
  hub: text(
    'What stands before the name of every image, such as registry.bank.example/mesh.',
    '^[a-z0-9]([-a-z0-9._/:]*[a-z0-9])?$',
  ),
  tag: text('Tag of every image; empty is the version of the chart.', '^([A-Za-z0-9_][A-Za-z0-9._-]{0,127})?$'),
  imagePullPolicy: oneOf('When the kubelet asks the registry.', ['Always', 'IfNotPresent', 'Never']),
  imagePullSecrets: list('Names of Secrets for the registry.', text('Name of a Secret.', patterns.name)),
  trustDomain: text('First part of every identity.', '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$'),
  clusterId: text('Name of this cluster in the mesh.', '^[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?$'),
  network: text('Network of this cluster; empty where there is one only.', '^([A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?)?$'),
  logLevel: oneOf('Least severe level that is logged.', ['debug', 'info', 'warn', 'error']),
  logFormat: oneOf('Form of the log lines.', ['plain', 'json']),
  platform: oneOf('Where directories of a node are elsewhere than usual.', [
    '',
    'gke',
    'k3s',
    'microk8s',
    'minikube',
    'openshift',
  ]),
  istioWaypointClass: flag('Whether Gateways of class istio-waypoint are served, too.'),
  networkPolicy: object('NetworkPolicies in the namespace of the mesh.', {
    enabled: flag('Whether they are made.'),
  }),
  serviceMonitor: object('ServiceMonitors and PodMonitors for a Prometheus operator.', {
    enabled: flag('Whether they are made.'),
    interval: text('How often metrics are fetched.', patterns.duration),
    labels: map('Labels that the operator looks for.', text('Value of the label.')),
  }),
});
