/** Commands in a pod's namespace that have to succeed: their output, or an error that says what they said. */
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { RunInNamespace } from './namespace-command.ts';

export type Command = readonly [string, ...string[]];

export type ExecuteOptions = {
  /** Told what it complained of; true makes a failure a success. */
  readonly forgive?: (complaint: string) => boolean;
};

/** Resolves with what it wrote; rejects with MESH-REDIRECT-001, or with the signal's reason. */
export type Execute = (
  namespace: NetworkNamespace,
  command: Command,
  input: string,
  signal: AbortSignal,
  options?: ExecuteOptions,
) => Promise<string>;

export function executor(run: RunInNamespace): Execute {
  return async (namespace, command, input, signal, { forgive = () => false } = {}) => {
    const result = await run(namespace, command, input, signal).catch((error: unknown) => {
      if (signal.aborted) throw error;
      throw MeshError.from(error, 'MESH-REDIRECT-001');
    });
    const { status, complaint, output = '' } = result;
    if (status === 0 || forgive(complaint)) return output;
    const said = complaint.trim().split('\n', 1)[0] ?? '';
    throw new MeshError('MESH-REDIRECT-001', {
      message: `${nameOf(command)} in network namespace ${namespace.inode} ended with ${status ?? 'a signal'}: ${said === '' ? 'no message' : said}`,
    });
  };
}

function nameOf([program, first = '']: Command): string {
  return program === 'ip' ? `${program} ${first}` : program;
}
