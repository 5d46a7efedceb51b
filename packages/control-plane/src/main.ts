/** `clearmesh-control-plane serve`: reads the command line, serves until SIGTERM or SIGINT. */
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import { surviveTheNetwork } from '@clearmesh/shared/observe/defects';
import { createLogger } from '@clearmesh/shared/observe/log';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { parseCommandLine } from './command-line.ts';
import { ControlPlane } from './control-plane.ts';
import type { ServeCommand } from './command-line.ts';

/** Milliseconds that connections have to end by themselves. */
const drainMs = 5000;

const commandLine = parseCommandLine(process.argv.slice(2), (text) => void process.stdout.write(text));
if (commandLine.kind === 'wrong') fail(commandLine.error, 2);
else if (commandLine.kind === 'serve') await serve(commandLine.command);

async function serve(command: ServeCommand): Promise<void> {
  const logger = createLogger('control-plane', command.log);
  surviveTheNetwork(logger);
  const stop = new AbortController();
  // The second signal finds no listener and ends the process at once.
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort());
  try {
    await using controlPlane = await ControlPlane.start(
      command.options,
      { clock: systemClock, random: systemRandom, logger },
      stop.signal,
    );
    if (!stop.signal.aborted) await new Promise((resolve) => stop.signal.addEventListener('abort', resolve, { once: true }));
    await Promise.race([
      controlPlane.drain(),
      new Promise((resolve) => void systemClock.after(drainMs, () => resolve(undefined))),
    ]);
    logger.info('stopped');
  } catch (error) {
    if (stop.signal.aborted) return;
    const failure = MeshError.from(error, 'MESH-INTERNAL-001');
    fail(failure, failure.source === 'configuration' ? 2 : 1);
  }
}

/** On standard error, since there may be no log yet. */
function fail(error: MeshError, exitCode: number): void {
  process.stderr.write(`${error.explain()}\n`);
  process.exitCode = exitCode;
}
