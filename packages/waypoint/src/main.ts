/**
 * The waypoint as a process: environment in, signals, exit status out. What it is made of stands in waypoint.ts.
 *
 *   SIGTERM | SIGINT | quit ──▶ drain ──▶ exit 0      unusable configuration | defect ──▶ exit 1
 *   second SIGINT ──▶ exit at once
 */
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { untilSignalled } from '@clearmesh/shared/lifecycle/signals';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import { surviveTheNetwork } from '@clearmesh/shared/observe/defects';
import { createLogger } from '@clearmesh/shared/observe/log';
import { FilteredLog } from '@clearmesh/shared/observe/log-filter';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { readConfig } from './config.ts';
import type { WaypointConfig } from './config.ts';
import { Waypoint, waypointVersion } from './waypoint.ts';

/** Time for the last log lines, should anything keep the process open, milliseconds. */
const lastLinesMs = 1_000;

async function main(): Promise<void> {
  const config = configOrExit();
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
  // Nothing is open any more, so the process ends by itself once the log is written; process.exit would cut it short.
  process.exitCode = 0;
  setTimeout(() => process.exit(0), lastLinesMs).unref();
}

function configOrExit(): WaypointConfig {
  try {
    return readConfig(process.env);
  } catch (thrown) {
    process.stderr.write(`${MeshError.from(thrown, 'MESH-CONFIG-003').explain()}\n`);
    process.exit(1);
  }
}

try {
  await main();
} catch (thrown) {
  process.stderr.write(`${MeshError.from(thrown, 'MESH-INTERNAL-001').explain()}\n`);
  process.exit(1);
}
