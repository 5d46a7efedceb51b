/** The command line of the node agent: flags, and environment variables of the same meaning, to options. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { parseIp } from '@clearmesh/shared/model/ip-address';
import type { LogLevel } from '@clearmesh/shared/observe/log';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { AgentOptions } from './agent.ts';
import { PROBE_V4, PROBE_V6 } from './redirect/pod-rules.ts';
import { rulePrograms } from './redirect/choose-backend.ts';
import type { RuleProgram } from './redirect/choose-backend.ts';

export type LogChoice = { readonly format: 'plain' | 'json'; readonly level: LogLevel };

export type CommandLine =
  | { readonly kind: 'run'; readonly options: AgentOptions; readonly kubeconfig: string | undefined; readonly log: LogChoice }
  | {
      readonly kind: 'uninstall';
      readonly options: Pick<AgentOptions, 'cniBinDir' | 'cniConfDir' | 'rules' | 'ipv6' | 'sources'>;
      readonly log: LogChoice;
    }
  /** Help: written already, nothing else to do. */
  | { readonly kind: 'told' }
  | { readonly kind: 'wrong'; readonly error: MeshError };

type Common = {
  readonly cniBinDir: string;
  readonly cniConfDir: string;
  readonly rules: RuleProgram | 'auto';
  readonly ipv6: boolean;
  readonly hostProbeIpv4: string;
  readonly hostProbeIpv6: string;
  readonly logFormat: 'plain' | 'json';
  readonly logLevel: LogLevel;
};

type RunFlags = Common & {
  readonly node: string;
  readonly kubeconfig?: string;
  readonly namespace: string;
  readonly daemonSet: string;
  readonly excludeNamespaces: readonly string[];
  readonly dnsCapture: boolean;
  readonly proc: string;
  readonly cniConfName: string;
  readonly pluginBinary: string;
  readonly pluginSocket: string;
  readonly handoverSocket: string;
  readonly healthPort: number;
  readonly verifySeconds: number;
  readonly settleMilliseconds: number;
};

/** `args` without the interpreter and script; `write` takes help texts. */
export function parseCommandLine(args: readonly string[], write: (text: string) => void): CommandLine {
  const parsed: { line?: CommandLine } = {};
  const output = { writeOut: write, writeErr: () => {} };
  const program = new Command('clearmesh-node-agent').exitOverride().configureOutput(output);
  program.description('Puts the pods of one node into the mesh.');
  const run = runCommand().configureOutput(output).exitOverride();
  run.action((flags: RunFlags) => void (parsed.line = runOf(flags)));
  const uninstall = uninstallCommand().configureOutput(output).exitOverride();
  uninstall.action((flags: Common) => void (parsed.line = uninstallOf(flags)));
  program.addCommand(run).addCommand(uninstall);
  try {
    program.parse(args, { from: 'user' });
  } catch (error) {
    return recvError(error);
  }
  return parsed.line ?? wrong('no command given');
}

function runCommand(): Command {
  const command = new Command('run').description('Serves this node until SIGTERM.');
  return withCommonFlags(
    command
      .addOption(flag('--node <name>', 'name of this node', 'NODE_NAME').makeOptionMandatory())
      .addOption(flag('--kubeconfig <file>', 'how to reach the Kubernetes API; without it, by the service account', 'KUBECONFIG'))
      .addOption(flag('--namespace <name>', 'where the mesh itself lives', 'POD_NAMESPACE').default('clearmesh-system'))
      .addOption(flag('--daemon-set <name>', 'DaemonSet of this agent', 'DAEMONSET_NAME').default('clearmesh-node-agent'))
      .addOption(
        flag('--exclude-namespaces <list>', 'namespaces whose pods are never captured, separated by commas', 'EXCLUDE_NAMESPACES')
          .argParser(parseList)
          .default(['kube-system'], 'kube-system'),
      )
      .addOption(
        flag('--dns-capture <true|false>', 'bring DNS queries to ztunnel', 'DNS_CAPTURE').argParser(parseBoolean).default(false),
      )
      .addOption(flag('--proc <dir>', 'the host’s /proc', 'HOST_PROC').default('/host/proc'))
      .addOption(
        flag('--cni-conf-name <file>', 'the network configuration to join; the first one if empty', 'CNI_CONF_NAME').default(''),
      )
      .addOption(flag('--plugin-binary <file>', 'the CNI plugin to install', 'PLUGIN_BINARY').default('/app/clearmesh-cni'))
      .addOption(
        flag('--plugin-socket <path>', 'where the plugin calls, in container and host alike', 'PLUGIN_SOCKET').default(
          '/var/run/clearmesh/cni/plugin.sock',
        ),
      )
      .addOption(flag('--handover-socket <path>', 'where ztunnel dials', 'ZDS_SOCKET').default('/var/run/ztunnel/ztunnel.sock'))
      .addOption(
        flag('--health-port <port>', 'HTTP for /healthz, /readyz, /metrics, /status', 'HEALTH_PORT')
          .argParser(parsePort)
          .default(15_022),
      )
      .addOption(
        flag('--verify-seconds <n>', 'between two looks at the rules of captured pods', 'VERIFY_SECONDS')
          .argParser(parseSeconds)
          .default(600),
      )
      .addOption(
        flag('--settle-milliseconds <n>', 'for others to learn that a running pod joins or leaves', 'SETTLE_MILLISECONDS')
          .argParser(parseMilliseconds)
          .default(1_000),
      ),
  );
}

function uninstallCommand(): Command {
  return withCommonFlags(
    new Command('uninstall').description(
      'Takes the plugin out of this node’s network configuration, and the node’s own rules away. Pods that are captured stay captured.',
    ),
  );
}

function withCommonFlags(command: Command): Command {
  return command
    .addOption(flag('--cni-bin-dir <dir>', 'plugins of the container runtime', 'CNI_BIN_DIR').default('/host/opt/cni/bin'))
    .addOption(
      flag('--cni-conf-dir <dir>', 'network configurations of the runtime', 'CNI_CONF_DIR').default('/host/etc/cni/net.d'),
    )
    .addOption(
      flag('--rules <program>', 'what makes rules', 'RULES_BACKEND')
        .choices(['auto', ...rulePrograms])
        .default('auto'),
    )
    .addOption(flag('--ipv6 <true|false>', 'capture IPv6 too', 'IPV6_ENABLED').argParser(parseBoolean).default(true))
    .addOption(
      flag('--host-probe-ipv4 <ip>', 'source of the node’s own connections to pods', 'HOST_PROBE_SNAT_IP')
        .argParser(parseFamily(4))
        .default(PROBE_V4),
    )
    .addOption(
      flag('--host-probe-ipv6 <ip>', 'the same for IPv6', 'HOST_PROBE_SNAT_IPV6').argParser(parseFamily(6)).default(PROBE_V6),
    )
    .addOption(flag('--log-format <format>', 'form of the log lines', 'LOG_FORMAT').choices(['plain', 'json']).default('plain'))
    .addOption(
      flag('--log-level <level>', 'least severe level written', 'LOG_LEVEL')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('info'),
    );
}

function flag(flags: string, description: string, variable: string): Option {
  return new Option(flags, description).env(variable);
}

function runOf(flags: RunFlags): CommandLine {
  const { node, namespace, daemonSet, excludeNamespaces, proc, cniBinDir, cniConfDir, cniConfName } = flags;
  const { pluginBinary, pluginSocket, handoverSocket, healthPort, verifySeconds, settleMilliseconds, kubeconfig } = flags;
  const { dnsCapture } = flags;
  return {
    kind: 'run',
    kubeconfig: kubeconfig === '' ? undefined : kubeconfig,
    log: logOf(flags),
    options: {
      ...rulesOf(flags),
      node,
      systemNamespace: namespace,
      daemonSet,
      excludedNamespaces: excludeNamespaces,
      procPath: proc,
      cniBinDir,
      cniConfDir,
      cniConfName,
      pluginBinary,
      pluginSocket,
      handoverSocket,
      healthPort,
      dnsCapture,
      verifyMs: verifySeconds * 1000,
      settleMs: settleMilliseconds,
    },
  };
}

function uninstallOf(flags: Common): CommandLine {
  const { cniBinDir, cniConfDir } = flags;
  return { kind: 'uninstall', log: logOf(flags), options: { ...rulesOf(flags), cniBinDir, cniConfDir } };
}

function rulesOf({ rules, ipv6, hostProbeIpv4, hostProbeIpv6 }: Common): Pick<AgentOptions, 'rules' | 'ipv6' | 'sources'> {
  return { rules, ipv6, sources: { v4: hostProbeIpv4, v6: hostProbeIpv6 } };
}

function logOf({ logFormat, logLevel }: Common): LogChoice {
  return { format: logFormat, level: logLevel };
}

function recvError(error: unknown): CommandLine {
  if (!(error instanceof CommanderError)) throw error;
  if (error.exitCode === 0) return { kind: 'told' };
  return wrong(error.code === 'commander.help' ? 'no command given' : error.message.replace(/^error: /, ''));
}

function wrong(message: string, hint = 'See clearmesh-node-agent run --help.'): CommandLine {
  return { kind: 'wrong', error: new MeshError('MESH-CONFIG-003', { message, hint }) };
}

function parseList(text: string): readonly string[] {
  return text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

function parseBoolean(text: string): boolean {
  if (text !== 'true' && text !== 'false') throw new InvalidArgumentError('Write true or false.');
  return text === 'true';
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError('Write a port number; 0 lets the kernel choose.');
  return port;
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (!/^\d+$/.test(text) || seconds < 1 || seconds > 86_400)
    throw new InvalidArgumentError('Write a number of seconds from 1 to 86400.');
  return seconds;
}

function parseMilliseconds(text: string): number {
  const ms = Number(text);
  if (!/^\d+$/.test(text) || ms > 60_000) throw new InvalidArgumentError('Write a number of milliseconds up to 60000.');
  return ms;
}

function parseFamily(family: 4 | 6): (text: string) => string {
  return (text) => {
    const ip = parseIp(text);
    if (ip === undefined || ip.includes(':') !== (family === 6)) throw new InvalidArgumentError(`Write an IPv${family} address.`);
    return ip;
  };
}
