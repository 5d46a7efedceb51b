/**
 * The waypoint as a process: environment in, signals, exit status out. What it is made of stands in waypoint.ts.
 *
 *   SIGTERM | SIGINT | quit ──▶ drain ──▶ exit 0      unusable configuration | defect ──▶ exit 1
 *   second SIGINT ──▶ exit at once
 */
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { configOrExit, runProgram } from '@clearmesh/shared/lifecycle/program';
import { untilSignalled } from '@clearmesh/shared/lifecycle/signals';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import { surviveTheNetwork } from '@clearmesh/shared/observe/defects';
import { createLogger } from '@clearmesh/shared/observe/log';
import { FilteredLog } from '@clearmesh/shared/observe/log-filter';
import { readConfig } from './config.ts';
import { Waypoint, waypointVersion } from './waypoint.ts';

async function main(): Promise<0 | 1> {
  const config = configOrExit(readConfig);
  const sink = createLogger('waypoint', { level: 'debug', format: config.log.format });
  const log = new FilteredLog(config.log.filter, { sink });
  const logger = log.scope('waypoint');
  surviveTheNetwork(logger);
  const { promise: quit, resolve: onQuit } = Promise.withResolvers<void>();
  const signalled = untilSignalled(process, logger);
  const waypoint = await Waypoint.start(config, { env: process.env, log, clock: systemClock, random: systemRandom, onQuit });
  logger.info('waypoint started', {
    version: waypointVersion,
    gateway: `${config.gateway.namespace}/${config.gateway.name}`,
    xds: config.xds?.url,
  });
  await Promise.race([signalled, quit]);
  await waypoint.drain(config.terminationDeadlineMs);
  return 0;
}

await runProgram(main);
