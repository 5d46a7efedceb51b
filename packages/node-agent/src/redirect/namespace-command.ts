/** A command inside a pod's network namespace, fed by standard input. */
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { NetworkNamespace } from '@clearmesh/linux/netns';

export type CommandResult = {
  /** Exit status; `undefined` when a signal ended it. */
  readonly status: number | undefined;
  /** What it said on standard error, cut at 16 KiB. */
  readonly complaint: string;
  /** What it wrote to standard output, cut at 1 MiB. @default '' */
  readonly output?: string;
};

/** Runs `command` with `args` in the namespace and writes `input` to it; rejects when it cannot be started or is aborted. */
export type RunInNamespace = (
  namespace: NetworkNamespace,
  command: readonly [string, ...string[]],
  input: string,
  signal: AbortSignal,
) => Promise<CommandResult>;

const MAX_COMPLAINT = 16_384;
const MAX_OUTPUT = 1_048_576;

// A fixed path and language: what runs as root, and what its messages say, must not depend on who started the agent.
const ENVIRONMENT = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };

/**
 * By nsenter, which fails when it cannot enter. The namespace travels as the child's descriptor 3, so that no path can
 * come to mean another pod in between.
 */
export const runInNamespace: RunInNamespace = (namespace, command, input, signal) =>
  new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const child = spawn('nsenter', ['--net=/proc/self/fd/3', ...command], {
      // Writable, readable twice, and the namespace.
      stdio: ['pipe', 'pipe', 'pipe', namespace.fd],
      env: ENVIRONMENT,
      killSignal: 'SIGKILL',
      signal,
    }) as ChildProcessByStdio<Writable, Readable, Readable>;
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output = `${output}${text}`.slice(0, MAX_OUTPUT);
    });
    let complaint = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint = `${complaint}${text}`.slice(0, MAX_COMPLAINT);
    });
    child.on('error', (error) => reject(signal.aborted ? signal.reason : error));
    child.on('close', (status) => resolve({ status: status ?? undefined, complaint, output }));
    // A child that ends before it read everything breaks the pipe; its status tells why.
    child.stdin.on('error', () => {}).end(input);
  });
