/**
 * The node proxy as a process: environment and proxy configuration in, signals, exit status out. What it is made of
 * stands in ztunnel.ts.
 *
 *   SIGTERM | SIGINT | quit ──▶ drain ──▶ exit 0      agent broke the protocol ──▶ drain ──▶ exit 1
 *   second SIGINT ──▶ exit at once                    unusable configuration | defect ──▶ exit 1
 */
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { configOrExit, runProgram } from '@clearmesh/shared/lifecycle/program';
import { untilSignalled } from '@clearmesh/shared/lifecycle/signals';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import { surviveTheNetwork } from '@clearmesh/shared/observe/defects';
import { createLogger } from '@clearmesh/shared/observe/log';
import { readConfig } from './config.ts';
import { layeredEnvironment } from './layered-environment.ts';
import { FilteredLog } from '@clearmesh/shared/observe/log-filter';
import { reportLimits } from './process-limits.ts';
import { Ztunnel, ztunnelVersion } from './ztunnel.ts';

async function main(): Promise<0 | 1> {
  const env = await layeredEnvironment(process.env);
  const config = configOrExit(() => readConfig(env));
  const sink = createLogger('ztunnel', { level: 'debug', format: config.log.format });
  const log = new FilteredLog(config.log.filter, { sink });
  const logger = log.scope('ztunnel');
  surviveTheNetwork(logger);
  const { promise: ending, resolve: end } = Promise.withResolvers<{ readonly status: 0 | 1 }>();
  void untilSignalled(process, logger).then(() => end({ status: 0 }));
  const ztunnel = await Ztunnel.start(config, {
    env,
    log,
    clock: systemClock,
    random: systemRandom,
    onQuit: () => end({ status: 0 }),
    onFatal: (error) => {
      logger.error(error.message, { hint: error.hint });
      end({ status: 1 });
    },
  });
  reportLimits(config, { logger });
  logger.info('ztunnel started', { version: ztunnelVersion, node: config.node.name, xds: config.xds?.url, ca: config.ca?.url });
  const { status } = await ending;
  await ztunnel.drain(config.terminationDeadlineMs);
  return status;
}

await runProgram(main);
