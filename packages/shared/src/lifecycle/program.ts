/** How a proxy begins and ends as a process. What is wrong is said on standard error, since there may be no log yet. */
import { MeshError } from '../observe/mesh-error.ts';
import type { MeshErrorCode } from '../observe/error-codes.ts';

/** Time for the last log lines, should anything keep the process open, milliseconds. */
const lastLinesMs = 1_000;

/** The configuration in the environment; one that cannot be used ends the process with status 1. */
export function configOrExit<Config>(read: (env: NodeJS.ProcessEnv) => Config): Config {
  try {
    return read(process.env);
  } catch (thrown) {
    return exitWith(thrown, 'MESH-CONFIG-003');
  }
}

/** Ends with the status `main` resolves to, or with 1 when it rejects. */
export async function runProgram(main: () => Promise<0 | 1>): Promise<void> {
  try {
    const status = await main();
    // Nothing is open any more, so the process ends by itself once the log is written; process.exit would cut it short.
    process.exitCode = status;
    setTimeout(() => process.exit(status), lastLinesMs).unref();
  } catch (thrown) {
    exitWith(thrown, 'MESH-INTERNAL-001');
  }
}

function exitWith(thrown: unknown, otherwise: MeshErrorCode): never {
  process.stderr.write(`${MeshError.from(thrown, otherwise).explain()}\n`);
  process.exit(1);
}
