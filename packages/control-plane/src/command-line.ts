/** The command line of the control plane: flags to options, or a sentence that says which flag is wrong. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { parseIp } from '@clearmesh/shared/model/ip-address';
import type { IpAddress, SocketAddress } from '@clearmesh/shared/model/ip-address';
import { wildcardAddress } from '@clearmesh/shared/net/wildcard';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { LogLevel } from '@clearmesh/shared/observe/log';
import { addWaypointFlags, strayWaypointFlag, waypointSetting } from './wiring/waypoint-flags.ts';
import type { ClusterSetting, ControlPlaneOptions, DirectorySetting } from './wiring/options.ts';
import type { WaypointFlags } from './wiring/waypoint-flags.ts';

export type ServeCommand = {
  readonly options: ControlPlaneOptions;
  readonly log: { readonly format: 'plain' | 'json'; readonly level: LogLevel };
};

export type CommandLine =
  | { readonly kind: 'serve'; readonly command: ServeCommand }
  /** Help or version: written already, nothing else to do. */
  | { readonly kind: 'told' }
  | { readonly kind: 'wrong'; readonly error: MeshError };

type Flags = WaypointFlags & {
  readonly directory?: string;
  readonly status?: string;
  readonly statusOut?: string;
  readonly state?: string;
  readonly tokenKeys?: string;
  readonly kubernetes?: true;
  readonly kubeconfig?: string;
  readonly podName?: string;
  readonly webhook?: SocketAddress;
  readonly listen: SocketAddress;
  readonly clusterId: string;
  readonly trustDomain: string;
  readonly network?: string;
  readonly rootNamespace: string;
  readonly defaultMtls: 'STRICT' | 'PERMISSIVE';
  readonly permissiveExpiry: 'required' | 'optional';
  readonly trustedNodeAccounts: readonly string[];
  readonly admin?: SocketAddress;
  readonly logFormat: 'plain' | 'json';
  readonly logLevel: LogLevel;
};

/** `args` without the interpreter and script; `write` takes help texts. */
export function parseCommandLine(args: readonly string[], write: (text: string) => void): CommandLine {
  const parsed: { flags?: Flags } = {};
  const program = new Command('clearmesh-control-plane').exitOverride();
  const output = { writeOut: write, writeErr: () => {} };
  program.configureOutput(output).description('Tells node proxies what the mesh looks like, and certifies its workloads.');
  const serve = serveCommand().configureOutput(output).exitOverride();
  serve.action((flags: Flags) => {
    parsed.flags = flags;
  });
  program.addCommand(serve);
  try {
    program.parse(args, { from: 'user' });
  } catch (error) {
    return recvError(error);
  }
  if (parsed.flags === undefined) return wrong('no command given');
  const setting = settingOf(parsed.flags);
  return typeof setting === 'string' ? wrong(setting) : { kind: 'serve', command: commandOf(parsed.flags, setting) };
}

function serveCommand(): Command {
  const command = new Command('serve')
    .description('Serves discovery and certificates for a Kubernetes cluster, or for a directory of manifests.')
    .option('--kubernetes', 'configuration, tokens, root and statuses are those of a cluster')
    .option('--kubeconfig <file>', 'with --kubernetes: how the API server is reached; without it, as the pod that this is')
    .option('--pod-name <name>', 'with --kubernetes: name of this replica in the lease of the leader', parseName)
    .option(
      '--webhook <ip:port>',
      'with --kubernetes: HTTPS port where the API server asks before it stores an object',
      parseAddress,
    )
    .option('--directory <dir>', 'manifests: every *.yaml and *.yml below it, re-read on change')
    .option('--status <file>', 'with --directory: what kubelet and node agent know of pods, replaced by rename')
    .option(
      '--status-out <file>',
      'with --directory: where the status of objects is written as JSON: conditions, and why manifests were refused',
    )
    .option(
      '--state <dir>',
      'with --directory: holds the root certificate and key (ca.pem, mode 0600; root-cert.pem for proxies)',
    )
    .option('--token-keys <file>', 'with --directory: JWKS file with the public ES256 keys of service account tokens')
    .requiredOption(
      '--listen <ip:port>',
      'TLS port for discovery and certificates; [::] for every address of both families',
      parseAddress,
    )
    .option('--cluster-id <name>', 'name of this cluster in workload ids', parseName, 'Kubernetes')
    .option('--network <name>', 'network of all pods and services; unless given there is one only', parseName)
    .option('--trust-domain <name>', 'first part of every identity', parseName, 'cluster.local')
    .option('--root-namespace <name>', 'namespace whose policies are for the whole mesh', parseName, 'clearmesh-system')
    .addOption(
      new Option('--default-mtls <mode>', 'mode where no PeerAuthentication says otherwise')
        .choices(['STRICT', 'PERMISSIVE'])
        .default('STRICT'),
    )
    .addOption(
      new Option('--permissive-expiry <rule>', 'whether a PERMISSIVE PeerAuthentication must say until when')
        .choices(['required', 'optional'])
        .default('required'),
    )
    .option('--trusted-node-accounts <list>', 'namespace/account of node proxies, separated by commas', parseAccounts, [
      'clearmesh-system/ztunnel',
    ])
    .option('--admin <ip:port>', 'plain HTTP for /healthz/ready, /metrics and /status', parseAddress)
    .addOption(new Option('--log-format <format>', 'form of the log lines').choices(['plain', 'json']).default('plain'))
    .addOption(
      new Option('--log-level <level>', 'least severe level written').choices(['debug', 'info', 'warn', 'error']).default('info'),
    );
  return addWaypointFlags(command);
}

/** The setting, or what is wrong: each flag belongs to one of the two. */
function settingOf(flags: Flags): DirectorySetting | ClusterSetting | string {
  const { directory, status, statusOut, state, tokenKeys, kubeconfig, podName, webhook } = flags;
  if (flags.kubernetes === true) {
    const stray = strayFlag({
      '--directory': directory,
      '--status': status,
      '--status-out': statusOut,
      '--state': state,
      '--token-keys': tokenKeys,
    });
    if (stray !== undefined) return `${stray} has no effect with --kubernetes`;
    const { rootNamespace, logLevel, logFormat } = flags;
    const waypoints = waypointSetting(flags, { rootNamespace, log: { level: logLevel, format: logFormat } });
    if (typeof waypoints === 'string') return waypoints;
    return {
      kind: 'kubernetes',
      ...(waypoints === undefined ? {} : { waypoints }),
      ...(kubeconfig === undefined ? {} : { kubeconfig }),
      ...(podName === undefined ? {} : { podName }),
      ...(webhook === undefined ? {} : { webhook }),
    };
  }
  const stray =
    strayFlag({ '--kubeconfig': kubeconfig, '--pod-name': podName, '--webhook': webhook }) ?? strayWaypointFlag(flags);
  if (stray !== undefined) return `${stray} has no effect without --kubernetes`;
  if (directory === undefined) return 'either --kubernetes or --directory is needed';
  if (state === undefined) return '--directory needs --state';
  if (tokenKeys === undefined) return '--directory needs --token-keys';
  return {
    kind: 'directory',
    directory,
    stateDirectory: state,
    tokenKeys,
    ...(status === undefined ? {} : { statusFile: status }),
    ...(statusOut === undefined ? {} : { statusOut }),
  };
}

function strayFlag(flags: Readonly<Record<string, unknown>>): string | undefined {
  return Object.keys(flags).find((name) => flags[name] !== undefined);
}

function commandOf(flags: Flags, setting: DirectorySetting | ClusterSetting): ServeCommand {
  const { listen, clusterId, trustDomain, rootNamespace, defaultMtls, trustedNodeAccounts, admin, network } = flags;
  return {
    options: {
      setting,
      listen,
      clusterId,
      trustDomain,
      rootNamespace,
      defaultMtls,
      requirePermissiveExpiry: flags.permissiveExpiry === 'required',
      trustedNodeAccounts,
      ...(network === undefined ? {} : { network }),
      ...(admin === undefined ? {} : { admin }),
    },
    log: { format: flags.logFormat, level: flags.logLevel },
  };
}

function recvError(error: unknown): CommandLine {
  if (!(error instanceof CommanderError)) throw error;
  if (error.exitCode === 0) return { kind: 'told' };
  return wrong(error.code === 'commander.help' ? 'no command given' : error.message.replace(/^error: /, ''));
}

function wrong(message: string): CommandLine {
  return {
    kind: 'wrong',
    error: new MeshError('MESH-CONFIG-003', { message, hint: 'See clearmesh-control-plane serve --help.' }),
  };
}

/** `10.0.0.1:15012` or `[::1]:15012`; `[::]` takes IPv4 as well, and is `0.0.0.0` without IPv6. Port 0 lets the kernel choose. */
function parseAddress(text: string): SocketAddress {
  const [, bracketed, plain, port = ''] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const ip = parseIp(bracketed ?? plain ?? '');
  if (ip === undefined || Number(port) > 65_535)
    throw new InvalidArgumentError('Write an address and a port, such as 127.0.0.1:15012 or [::1]:15012.');
  return { ip: ip === '::' ? (wildcardAddress({ ipv6: true }) as IpAddress) : ip, port: Number(port) };
}

function parseName(text: string): string {
  if (!/^[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?$/.test(text))
    throw new InvalidArgumentError('Write letters, digits, "-" and ".".');
  return text;
}

function parseAccounts(text: string): readonly string[] {
  const accounts = text.split(',').map((account) => account.trim());
  if (accounts.every((account) => /^[a-z0-9][-a-z0-9]*\/[a-z0-9][-a-z0-9.]*$/.test(account))) return accounts;
  throw new InvalidArgumentError('Write namespace/account, separated by commas.');
}
