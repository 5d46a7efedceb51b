/** What a node's programs read, as text. */
import { stringify } from 'yaml';
import { cgroupOf } from '../machine/cgroups.ts';
import { clusterCidr, dnsServiceIp } from '../plan.ts';
import type { NodePlan } from '../plan.ts';
import { pauseImage } from '../system/names.ts';

export const containerdSocket = '/run/containerd/containerd.sock';

/** The primary plugin; a mesh's plugin is chained behind it. */
export const cniConfigFile = '/etc/cni/net.d/10-cluster.conflist';

/** Debian's containerd 1.6 and later ones understand version 2. */
export function containerdConfig(): string {
  return `version = 2
root = "/var/lib/containerd"
state = "/run/containerd"

[grpc]
  address = "${containerdSocket}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  # Lowering oom_score_adj takes CAP_SYS_RESOURCE, which root of a container may lack: runc would then end with
  # "can't get final child's PID from pipe: EOF".
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/opt/cni/bin"
    conf_dir = "/etc/cni/net.d"

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
`;
}

export function kubeletConfig(node: NodePlan): string {
  return stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: '0.0.0.0',
    authentication: { anonymous: { enabled: false }, x509: { clientCAFile: '/etc/kubernetes/ca.crt' } },
    authorization: { mode: 'Webhook' },
    tlsCertFile: '/etc/kubernetes/kubelet.crt',
    tlsPrivateKeyFile: '/etc/kubernetes/kubelet.key',
    containerRuntimeEndpoint: `unix://${containerdSocket}`,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: cgroupOf(node),
    failCgroupV1: false,
    failSwapOn: false,
    // Pods may use what the machine has; nobody is evicted because the machine's disk or memory is used by others.
    enforceNodeAllocatable: [],
    evictionHard: { 'memory.available': '1Mi', 'nodefs.available': '0%', 'imagefs.available': '0%', 'nodefs.inodesFree': '0%' },
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    oomScoreAdj: 0,
    makeIPTablesUtilChains: false,
    clusterDNS: [dnsServiceIp],
    clusterDomain: 'cluster.local',
    resolvConf: '/etc/resolv.conf',
    // A mounted ConfigMap follows within seconds, not within a minute.
    syncFrequency: '5s',
    nodeStatusUpdateFrequency: '5s',
  });
}

export function kubeProxyConfig(node: NodePlan): string {
  return stringify({
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'nftables',
    bindAddress: node.ip,
    metricsBindAddress: '127.0.0.1:10249',
    clusterCIDR: clusterCidr,
    hostnameOverride: node.name,
    clientConnection: { kubeconfig: '/etc/kubernetes/kube-proxy.kubeconfig' },
    // The size of the table belongs to the kernel of the machine around.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
    nftables: { minSyncPeriod: '100ms' },
  });
}

/** No masquerading: the other node, and this machine, see the pod's own address. */
export function cniConfig(node: NodePlan): string {
  const ipam = {
    type: 'host-local',
    ranges: [[{ subnet: node.podCidr }]],
    routes: [{ dst: '0.0.0.0/0' }],
    // Forgotten at a reboot, as the pods' namespaces are.
    dataDir: '/run/cni/networks',
  };
  const bridge = { type: 'bridge', bridge: 'cni0', isGateway: true, ipMasq: false, hairpinMode: true, ipam };
  const portmap = { type: 'portmap', capabilities: { portMappings: true } };
  return `${JSON.stringify({ cniVersion: '0.4.0', name: 'cluster', plugins: [bridge, portmap] }, undefined, 2)}\n`;
}
