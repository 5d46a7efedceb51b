/** Programs run inside a pod's network namespace. */
import { spawn } from 'node:child_process';

export type CommandResult = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

/** Runs to the end; killed after `timeoutMs`, which is a failure of the test. */
export function runIn(
  namespacePath: string,
  command: readonly string[],
  options: { readonly input?: string; readonly timeoutMs?: number } = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn('nsenter', [`--net=${namespacePath}`, '--', ...command], {
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: options.timeoutMs ?? 20_000,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (signal === null) resolve({ code, stdout, stderr });
      else reject(new Error(`${command.join(' ')} was ended by ${signal} after ${options.timeoutMs ?? 20_000} ms: ${stderr}`));
    });
    // A program that ended early does not read its input: its exit status tells, not EPIPE.
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
  });
}
