/** Where the root is kept between starts: `ca.pem` (certificate and key, mode 0600) and `root-cert.pem` for everyone. */
import { link, mkdir, open, readFile, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { MeshError } from '../observe/mesh-error.ts';
import type { Clock } from '../lifecycle/clock.ts';
import type { Random } from '../lifecycle/random.ts';
import { createRoot, readRoot } from './root-authority.ts';
import type { RootAuthority } from './root-authority.ts';

export type RootStoreOptions = { readonly stateDirectory: string; readonly trustDomain: string };

type Deps = { readonly clock: Clock; readonly random: Random };

/** The kept root, or a new one on the first start. MESH-CERT-002 when what is there cannot or must not be used. */
export async function openRoot(options: RootStoreOptions, deps: Deps): Promise<RootAuthority> {
  const { stateDirectory } = options;
  const file = join(stateDirectory, 'ca.pem');
  try {
    await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
    if (!(await exists(file))) await create(file, options, deps);
    await requirePrivate(file);
    const root = readRoot(await readFile(file, 'utf8'), deps.clock.now());
    await replace(join(stateDirectory, 'root-cert.pem'), root.rootPem, deps);
    return root;
  } catch (error) {
    if (error instanceof MeshError) throw error;
    throw new MeshError('MESH-CERT-002', {
      message: `${file}: ${error instanceof Error ? error.message : String(error)}`,
      hint: 'Restore the file from a backup. Without one, move it away: a new root is made, and every proxy must be restarted to trust it.',
      cause: error,
    });
  }
}

/** Whoever reads the key can be anyone in the mesh. */
async function requirePrivate(file: string): Promise<void> {
  const { mode } = await stat(file);
  if ((mode & 0o077) === 0) return;
  const shown = (mode & 0o777).toString(8).padStart(4, '0');
  throw new MeshError('MESH-CERT-002', {
    message: `${file}: mode ${shown} lets others than its owner read or change the root key`,
    hint: `Find out who could have read it; then chmod 600 ${file}, or replace the root.`,
  });
}

/** By link, which unlike rename never replaces: of two processes that start at once, one makes the root for both. */
async function create(file: string, options: RootStoreOptions, deps: Deps): Promise<void> {
  const pem = await createRoot({ trustDomain: options.trustDomain, nowMs: deps.clock.now() });
  const temporary = await write(file, pem, 0o600, deps);
  try {
    await link(temporary, file);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  } finally {
    await unlink(temporary);
  }
}

async function replace(file: string, text: string, deps: Deps): Promise<void> {
  if ((await exists(file)) && (await readFile(file, 'utf8')) === text) return;
  await rename(await write(file, text, 0o644, deps), file);
}

/** A temporary file beside `file`, on disk to the last byte. */
async function write(file: string, text: string, mode: number, deps: Deps): Promise<string> {
  const temporary = `${file}.${deps.random.hex(8)}`;
  await using handle = await open(temporary, 'wx', mode);
  await handle.writeFile(text);
  await handle.chmod(mode);
  await handle.sync();
  return temporary;
}

async function exists(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
