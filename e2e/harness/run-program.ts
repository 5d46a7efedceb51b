/** Programs of this machine, such as kubectl and helm, run to their end. */
import { spawn } from 'node:child_process';
import type { CommandResult } from './command.ts';

export type ProgramOptions = {
  /** Standard input. @default '' */
  readonly input?: string;
  /** Milliseconds after which it is killed, which is a failure of the test. @default 120 000 */
  readonly timeoutMs?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
};

/** What the program said, whatever its exit status. */
export function runProgram(command: readonly string[], options: ProgramOptions = {}): Promise<CommandResult> {
  const { input = '', timeoutMs = 120_000, env = {}, cwd } = options;
  const [program = '', ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
      env: { ...process.env, ...env },
      ...(cwd === undefined ? {} : { cwd }),
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (signal === null) resolve({ code, stdout, stderr });
      else reject(new Error(`${command.join(' ')} was ended by ${signal} after ${timeoutMs} ms: ${stderr}`));
    });
    // A program that ended early does not read its input: its exit status tells, not EPIPE.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

/** Its standard output; an error with all it said when it failed. */
export async function outputOf(command: readonly string[], options: ProgramOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await runProgram(command, options);
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}:\n${stderr}\n${stdout}`);
  return stdout;
}
