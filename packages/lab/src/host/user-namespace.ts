/**
 * Labs for ordinary users: the same command again, as root of a user namespace of its own. There it may make network
 * namespaces, with a /run of its own for their names; to the machine it stays the ordinary user.
 */
import { readFile } from 'node:fs/promises';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { mayMakeNamespaces } from './capabilities.ts';
import { createRunTool } from './run-tool.ts';
import { explainRefusal } from './refusal.ts';
import { findTool, toolPath } from './tools.ts';

export type Privilege =
  /** We may make network namespaces: there is nothing to do. */
  | { readonly kind: 'privileged' }
  /** We may not, and the kernel refuses a user namespace; the error (MESH-HOST-001) says what to do. */
  | { readonly kind: 'refused'; readonly error: MeshError };

// The tmpfs hides the machine's /run, where an ordinary user could not write: `ip netns` keeps its names there.
const script = 'mount -t tmpfs -o mode=0755 tmpfs /run && exec "$@"';

/** The command that runs another as root of a new user, network and mount namespace. */
export function inUserNamespace(unshare: string, command: readonly string[]): readonly string[] {
  return [unshare, '--user', '--map-root-user', '--net', '--mount', '--', 'sh', '-c', script, 'sh', ...command];
}

/**
 * Without the right to make network namespaces, replaces this process by `command` in a user namespace, and does not
 * return: process id, terminal, signals and exit status stay. The command is usually
 * [process.execPath, ...process.execArgv, ...process.argv.slice(1)].
 */
export async function reexecInUserNamespace(
  command: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<Privilege> {
  if (mayMakeNamespaces(await readFile('/proc/self/status', 'utf8'))) return { kind: 'privileged' };
  const path = toolPath(env);
  const unshare = await findTool('unshare', path);
  const attempt = unshare === undefined ? 'unshare is not installed (util-linux)' : await rehearse(unshare, env);
  if (unshare === undefined || attempt !== undefined) return { kind: 'refused', error: await refusal(attempt ?? '') };
  return become(inUserNamespace(unshare, command), { ...env, PATH: path });
}

function become([file = '', ...args]: readonly string[], env: NodeJS.ProcessEnv): Privilege {
  process.execve?.(file, [file, ...args], env);
  const error = new MeshError('MESH-HOST-001', {
    message: `Node ${process.version} cannot replace its process on ${process.platform}`,
    hint: 'Use Linux with Node 24 or later, or run it with sudo.',
  });
  return { kind: 'refused', error };
}

/** Tries the way with a command that does nothing, since after the jump there is no way back; gives what went wrong. */
async function rehearse(unshare: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  return createRunTool(env)(inUserNamespace(unshare, ['ip', 'netns', 'add', 'cm-probe'])).then(
    () => undefined,
    (error: Error) => error.message,
  );
}

async function refusal(attempt: string): Promise<MeshError> {
  const setting = (path: string): Promise<string | undefined> =>
    readFile(`/proc/sys/${path}`, 'utf8').then(
      (text) => text.trim(),
      () => undefined,
    );
  return explainRefusal({
    uid: process.getuid?.() ?? 0,
    attempt,
    unprivilegedUsernsClone: await setting('kernel/unprivileged_userns_clone'),
    maxUserNamespaces: await setting('user/max_user_namespaces'),
    apparmorRestricts: await setting('kernel/apparmor_restrict_unprivileged_userns'),
  });
}
