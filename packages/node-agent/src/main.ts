/** `clearmesh-node-agent`: reads the command line, then serves the node until SIGTERM or SIGINT, or uninstalls. */
import { KubeConfig } from '@kubernetes/client-node';
import { NetworkNamespace } from '@clearmesh/linux/netns';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import { surviveTheNetwork } from '@clearmesh/shared/observe/defects';
import { createLogger } from '@clearmesh/shared/observe/log';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { NodeAgent } from './agent.ts';
import { parseCommandLine } from './command-line.ts';
import type { CommandLine } from './command-line.ts';
import { uninstall } from './install/installer.ts';
import { nodeRules } from './node-rules.ts';
import { HttpKubeApi } from './watch/kube-api.ts';

const commandLine = parseCommandLine(process.argv.slice(2), (text) => void process.stdout.write(text));
try {
  if (commandLine.kind === 'wrong') fail(commandLine.error, 2);
  else if (commandLine.kind === 'run') await run(commandLine);
  else if (commandLine.kind === 'uninstall') await takeAway(commandLine);
} catch (error) {
  const failure = MeshError.from(error, 'MESH-INTERNAL-001');
  fail(failure, failure.source === 'configuration' ? 2 : 1);
}

async function run({ options, kubeconfig, log }: Extract<CommandLine, { readonly kind: 'run' }>): Promise<void> {
  const logger = createLogger('node-agent', log);
  surviveTheNetwork(logger);
  const stop = new AbortController();
  // The second signal finds no listener and ends the process at once.
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort());
  const api = new HttpKubeApi(configurationOf(kubeconfig));
  const agent = await NodeAgent.start(options, { api, clock: systemClock, random: systemRandom, logger }, stop.signal);
  logger.info('node agent started', { node: options.node, plugin: options.pluginSocket, ztunnel: options.handoverSocket });
  // Until it has ended, this keeps the process alive: every timer and watch of the agent may be waiting for something.
  const heartbeat = setInterval(() => {}, 60_000);
  if (!stop.signal.aborted) await new Promise((resolve) => stop.signal.addEventListener('abort', resolve, { once: true }));
  await agent.end();
  clearInterval(heartbeat);
}

async function takeAway({ options, log }: Extract<CommandLine, { readonly kind: 'uninstall' }>): Promise<void> {
  const logger = createLogger('node-agent', log);
  await uninstall({ confDir: options.cniConfDir, binDir: options.cniBinDir }, { logger });
  using host = NetworkNamespace.current();
  const signal = AbortSignal.timeout(15_000);
  const { probes } = await nodeRules(options, { host, logger }, signal);
  await probes.uninstall(signal);
  logger.info('uninstalled');
}

function configurationOf(kubeconfig: string | undefined): KubeConfig {
  const config = new KubeConfig();
  if (kubeconfig === undefined) config.loadFromCluster();
  else config.loadFromFile(kubeconfig);
  return config;
}

/** On standard error, since there may be no log yet. */
function fail(error: MeshError, exitCode: number): void {
  process.stderr.write(`${error.explain()}\n`);
  process.exitCode = exitCode;
}
