/** Short-lived system tools: run to the end, output collected, failure explained. */
import { execFile } from 'node:child_process';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { toolPath } from './tools.ts';

const deadlineMs = 30_000;
const maxOutputBytes = 4 * 1024 * 1024;

export type RunOptions = {
  /** Given on standard input. */
  readonly input?: string;
  readonly signal?: AbortSignal;
};

/** Runs a tool and gives its standard output, or MESH-LAB-001 with what it said. */
export type RunTool = (command: readonly string[], options?: RunOptions) => Promise<string>;

/** The machine's tools, found on the PATH of `env` and in the system's own directories. */
export function createRunTool(env: NodeJS.ProcessEnv): RunTool {
  const settings = { env: { PATH: toolPath(env), LC_ALL: 'C' }, timeout: deadlineMs, maxBuffer: maxOutputBytes };
  return ([file = '', ...args], options = {}) =>
    new Promise((resolve, reject) => {
      const abort = options.signal === undefined ? {} : { signal: options.signal };
      const child = execFile(file, args, { ...settings, ...abort }, (error, stdout, stderr) => {
        if (error === null) return resolve(stdout);
        if (options.signal?.aborted === true) return reject(options.signal.reason);
        reject(failure([file, ...args], stderr, error));
      });
      // A tool that ends without reading its input breaks the pipe; its exit tells more than the pipe.
      child.stdin?.on('error', () => {}).end(options.input ?? '');
    });
}

function failure(command: readonly string[], stderr: string, cause: Error & { code?: unknown }): MeshError {
  if (cause.code === 'ENOENT') {
    return new MeshError('MESH-HOST-001', {
      message: `${command[0]} is not installed`,
      hint: 'Install the package that brings it.',
      cause,
    });
  }
  const said = stderr.trim() === '' ? cause.message : stderr.trim().slice(0, 2000);
  return new MeshError('MESH-LAB-001', { message: `${command.join(' ')} failed: ${said}`, cause });
}
