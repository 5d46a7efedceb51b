/** The argument vectors of a cluster's control plane; pure, so that the tests' API server and the cluster tier run the same. */
import { join } from 'node:path';

/** Cluster IPs come from here. */
export const serviceCidr = '10.96.0.0/16';
/** The cluster IP of the API server itself. */
export const apiServiceIp = '10.96.0.1';

const issuer = 'https://kubernetes.default.svc';

/** The names of the API server inside every cluster. */
export const apiServerNames: readonly string[] = [
  'localhost',
  'kubernetes',
  'kubernetes.default',
  'kubernetes.default.svc',
  'kubernetes.default.svc.cluster.local',
];

export type EtcdSettings = {
  readonly program: string;
  readonly dataDirectory: string;
  readonly clientPort: number;
  readonly peerPort: number;
};

export function etcdCommand(settings: EtcdSettings): readonly string[] {
  const client = `http://127.0.0.1:${settings.clientPort}`;
  const peer = `http://127.0.0.1:${settings.peerPort}`;
  return [
    settings.program,
    `--data-dir=${settings.dataDirectory}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    // What a test stores need not survive the machine's power.
    '--unsafe-no-fsync',
    '--logger=zap',
    '--log-level=warn',
  ];
}

export type ApiServerSettings = {
  readonly program: string;
  /** See ClusterCredentials. */
  readonly pki: string;
  readonly etcdPort: number;
  readonly bindAddress: string;
  readonly port: number;
  /** Where pods reach it through the Service `kubernetes`; without it that Service has no endpoint. */
  readonly advertiseAddress?: string;
  /** @default true; false where no controller makes service accounts */
  readonly serviceAccounts?: boolean;
  /** The certificates of kubelets are of the cluster's authority. @default false */
  readonly verifyKubelets?: boolean;
};

export function apiServerCommand(settings: ApiServerSettings): readonly string[] {
  const pki = (name: string): string => join(settings.pki, name);
  const { advertiseAddress } = settings;
  return [
    settings.program,
    `--etcd-servers=http://127.0.0.1:${settings.etcdPort}`,
    `--bind-address=${settings.bindAddress}`,
    `--secure-port=${settings.port}`,
    `--tls-cert-file=${pki('apiserver.crt')}`,
    `--tls-private-key-file=${pki('apiserver.key')}`,
    `--client-ca-file=${pki('ca.crt')}`,
    `--cert-dir=${settings.pki}`,
    `--service-account-key-file=${pki('sa.pub')}`,
    `--service-account-signing-key-file=${pki('sa.key')}`,
    `--service-account-issuer=${issuer}`,
    `--service-cluster-ip-range=${serviceCidr}`,
    '--authorization-mode=Node,RBAC',
    '--allow-privileged=true',
    // Else "exec" looks up the name of the node.
    '--kubelet-preferred-address-types=InternalIP',
    `--kubelet-client-certificate=${pki('kubelet-client.crt')}`,
    `--kubelet-client-key=${pki('kubelet-client.key')}`,
    ...(settings.verifyKubelets === true ? [`--kubelet-certificate-authority=${pki('ca.crt')}`] : []),
    // Webhooks are called at their endpoints: where the API server runs, nobody translates cluster IPs.
    '--enable-aggregator-routing=true',
    // One server, and nobody measures it.
    '--profiling=false',
    '--shutdown-delay-duration=0s',
    ...(advertiseAddress === undefined
      ? ['--endpoint-reconciler-type=none']
      : [`--advertise-address=${advertiseAddress}`, '--enable-admission-plugins=NodeRestriction']),
    ...(settings.serviceAccounts === false ? ['--disable-admission-plugins=ServiceAccount'] : []),
  ];
}

export type ControllerManagerSettings = {
  readonly program: string;
  readonly pki: string;
  readonly kubeconfig: string;
  /** As `--controllers` takes them. @default all that are on by default */
  readonly controllers?: readonly string[];
  /** Extra arguments, such as timings. @default none */
  readonly extra?: readonly string[];
};

export function controllerManagerCommand(settings: ControllerManagerSettings): readonly string[] {
  return [
    settings.program,
    `--kubeconfig=${settings.kubeconfig}`,
    `--service-account-private-key-file=${join(settings.pki, 'sa.key')}`,
    `--root-ca-file=${join(settings.pki, 'ca.crt')}`,
    '--use-service-account-credentials=true',
    '--leader-elect=false',
    '--secure-port=0',
    `--controllers=${(settings.controllers ?? ['*']).join(',')}`,
    ...(settings.extra ?? []),
  ];
}

export function schedulerCommand(settings: { readonly program: string; readonly kubeconfig: string }): readonly string[] {
  return [settings.program, `--kubeconfig=${settings.kubeconfig}`, '--leader-elect=false', '--secure-port=0'];
}
