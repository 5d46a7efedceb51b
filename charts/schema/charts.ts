/** The values of each chart. */
import { global } from './global.ts';
import {
  autoscaling,
  environment,
  maxSurge,
  maxUnavailable,
  placement,
  podAnnotations,
  podDisruptionBudget,
  priorityClassName,
  replicas,
  resources,
  terminationGracePeriodSeconds,
  topologySpreadConstraints,
} from './pods.ts';
import { flag, integer, kubernetes, list, map, object, oneOf, patterns, text } from './schema.ts';
import type { Schema } from './schema.ts';

const acceptIstio = flag('Whether to install although Istio is in the cluster.');
const failurePolicies = ['Fail', 'Ignore'] as const;
const pods = { env: environment, priorityClassName, terminationGracePeriodSeconds, podAnnotations, resources, ...placement };

const base = object('Kinds, classes, admission and roles of the whole cluster.', {
  global,
  acceptIstio,
  crds: object('Kinds of clearmesh.io.', {
    install: flag('Whether they are installed.'),
    keep: flag('Whether they stay when the chart goes.'),
  }),
  istioKinds: object('Kinds of security.istio.io.', { install: flag('Whether they are installed where the cluster has none.') }),
  gatewayClasses: object('Classes of waypoints.', { install: flag('Whether they are installed.') }),
  webhook: object('Admission of policies.', {
    enabled: flag('Whether the control plane is asked.'),
    failurePolicy: oneOf('What becomes of a policy when the control plane cannot be asked.', failurePolicies),
    gatewayFailurePolicy: oneOf('What becomes of a Gateway or route then.', failurePolicies),
    timeoutSeconds: integer('Seconds the API server waits for an answer.', 1, 30),
  }),
  roles: object('Roles for people.', { aggregate: flag('Whether they are added to view, edit and admin.') }),
});

const controlPlane = object('The control plane.', {
  global,
  ...pods,
  replicas,
  autoscaling,
  podDisruptionBudget,
  topologySpreadConstraints,
  defaultMtls: oneOf('Mode where no PeerAuthentication says otherwise.', ['STRICT', 'PERMISSIVE']),
  permissiveExpiry: oneOf('Whether a PERMISSIVE PeerAuthentication must say until when.', ['required', 'optional']),
  trustedNodeAccounts: list('Who may ask for certificates of pods on its node.', text('namespace/account.', patterns.account)),
  waypoints: object('Waypoints that the control plane deploys.', {
    enabled: flag('Whether it does.'),
    namespaces: list('Where it may; empty for everywhere.', text('Name of a namespace.', patterns.label)),
  }),
  extraArgs: list('Further arguments.', text('An argument such as --log-level=debug.', '^--[a-z]')),
});

const nodeAgent = object('The node agent.', {
  global,
  ...pods,
  excludeNamespaces: list('Namespaces that are never captured.', text('Name of a namespace.', patterns.label)),
  cni: object('The plugin chain of the container runtime.', {
    binDir: text('Directory of plugins on the node, absolute; empty is that of the platform.', patterns.optionalDirectory),
    confDir: text(
      'Directory of their configuration on the node, absolute; empty is that of the platform.',
      patterns.optionalDirectory,
    ),
    confName: text('File to join, without its directory; empty is the first one.', '^([^/\\s]+\\.conf(list)?)?$'),
  }),
  netnsDir: text(
    'Directory of network namespaces on the node, absolute; empty is that of the platform.',
    patterns.optionalDirectory,
  ),
  rules: oneOf('What the rules in a pod are made with.', ['auto', 'nft', 'iptables']),
  ipv6: flag('Whether IPv6 is captured as well.'),
  probeAddress: object('Where probes of the kubelet come from in a pod.', {
    ipv4: text('An IPv4 address; empty is the usual one.', '^([0-9]{1,3}(\\.[0-9]{1,3}){3})?$'),
    ipv6: text('An IPv6 address; empty is the usual one.', '^([0-9a-fA-F:]*)$'),
  }),
  dnsCapture: flag('Whether pods without an annotation about it ask ztunnel for names.'),
  settleMilliseconds: integer('Milliseconds others have to learn that a running pod joins or leaves the mesh.', 0, 60_000),
  updateStrategy: object('How an update goes from node to node.', { maxUnavailable }),
});

const ztunnel = object('The node proxy.', {
  global,
  ...pods,
  xdsAddress: text('https://host:port of discovery; empty is the control plane in this namespace.', patterns.optionalAddress),
  caAddress: text('https://host:port of the authority; empty is the control plane in this namespace.', patterns.optionalAddress),
  originalSource: oneOf('Whether an application sees the address of its caller.', ['best-effort', 'required', 'off']),
  ipv6: flag('Whether it listens on IPv6 as well.'),
  certificateTtl: text('Lifetime of certificates, such as 24h.', patterns.duration),
  revocationLists: text('ConfigMap with revocation lists in its key ca-crl.pem; empty is none.', patterns.optionalName),
  dnsProxy: flag('Whether pods whose DNS is captured are answered; off, the node agent must capture no DNS.'),
  compliancePolicy: oneOf('What narrows TLS of tunnels and of connections to the control plane.', ['', 'pqc']),
  policyInfoLogging: flag('Whether decisions of policy are logged at info.'),
  logFilter: text('Levels by scope, such as info,access=debug; empty is global.logLevel.', '^[a-z0-9_:=,]*$'),
  updateStrategy: object('How an update goes from node to node.', { maxSurge, maxUnavailable }),
});

const waypoint = object('The waypoint of one banking domain.', {
  global,
  ...pods,
  name: text('Name of the Gateway; empty is the name of the release.', '^([a-z]([-a-z0-9]{0,61}[a-z0-9])?)?$'),
  gatewayClassName: oneOf('Class of the Gateway.', ['clearmesh-waypoint', 'istio-waypoint']),
  trafficType: oneOf('What it takes.', ['service', 'workload', 'all', 'none']),
  criticality: text(
    'How much depends on what is behind it, told with its traces.',
    '^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$',
  ),
  allowedRoutes: object('Whose Services may use it.', {
    from: oneOf('Which namespaces.', ['Same', 'All', 'Selector']),
    selector: kubernetes('Labels of the namespaces, as in a LabelSelector.'),
  }),
  enrol: object('Who uses it.', {
    namespaces: list('Namespaces that are labelled.', text('Name of a namespace.', patterns.label)),
  }),
  replicas,
  autoscaling,
  podDisruptionBudget,
  topologySpreadConstraints,
  domainKeySecret: text('Secret with the key that seals shared answers.', patterns.optionalName),
  bundles: map(
    'Volumes with rules, as in a Pod, by name.',
    kubernetes('Source of the volume, such as configMap.'),
    patterns.label,
  ),
  serviceAnnotations: map('Annotations of its Service.', text('Value of the annotation.')),
  samplePolicies: object('Policies to begin with.', { enabled: flag('Whether they are made.') }),
});

const clearmesh = object('Clearmesh as a whole.', {
  global,
  acceptIstio,
  base,
  'control-plane': controlPlane,
  'node-agent': nodeAgent,
  ztunnel,
});

/** By the name of the chart. */
export const chartSchemas: Readonly<Record<string, Schema>> = {
  base,
  'control-plane': controlPlane,
  'node-agent': nodeAgent,
  ztunnel,
  waypoint,
  clearmesh,
};
