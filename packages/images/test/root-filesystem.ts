import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { writeRootFilesystem } from '../src/build.ts';
import { componentOf, entrypoint, unprivilegedId } from '../src/component.ts';
import type { Component, ComponentName } from '../src/component.ts';

const run = promisify(execFile);

/** Namespaces of its own, so that mounts and ports end with it; the rest is the image's. */
const enter = [
  'ip link set lo up',
  'mount --bind /dev "$1/dev"',
  'mount -t proc proc "$1/proc"',
  'root=$1 user=$2; shift 2',
  'exec chroot --userspec="$user" "$root" "$@"',
].join('\n');

export type Ran = { readonly status: number; readonly stdout: string; readonly stderr: string };

/** An image's root file system on disk, where its programs are run as a container runtime would: nothing else is there. */
export class RootFilesystem implements AsyncDisposable {
  readonly #component: Component;
  readonly path: string;

  private constructor(component: Component, path: string) {
    this.#component = component;
    this.path = path;
  }

  static async of(name: ComponentName): Promise<RootFilesystem> {
    const root = new RootFilesystem(componentOf(name), await mkdtemp(join(tmpdir(), `clearmesh-image-${name}-`)));
    // Others than root look into it.
    await chmod(root.path, 0o755);
    await writeRootFilesystem(componentOf(name), root.path);
    return root;
  }

  /** The image's program with these arguments, until it ends. */
  runMain(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
    return this.run([...entrypoint, ...args], env);
  }

  async run(command: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
    const user = this.#component.user === 'root' ? '0:0' : `${unprivilegedId}:${unprivilegedId}`;
    const isolated = [
      '--mount',
      '--pid',
      '--net',
      '--fork',
      '--kill-child',
      'sh',
      '-ec',
      enter,
      'sh',
      this.path,
      user,
      ...command,
    ];
    try {
      const { stdout, stderr } = await run('unshare', isolated, {
        env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...env },
        timeout: 30_000,
      });
      return { status: 0, stdout, stderr };
    } catch (error) {
      const {
        code,
        stdout = '',
        stderr = '',
      } = error as { readonly code?: number; readonly stdout?: string; readonly stderr?: string };
      return { status: typeof code === 'number' ? code : -1, stdout, stderr };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}
