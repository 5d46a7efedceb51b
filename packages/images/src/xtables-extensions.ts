/**
 * What iptables loads while it runs, so that no program is linked with it: one library for each match and each target. They
 * lie in a folder whose path is compiled into libxtables, another one on every architecture and distribution.
 */
import { readFile, readdir, realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { FileTree } from './file-tree.ts';
import { addLibraries } from './shared-libraries.ts';

/** Those of arptables and ebtables stay behind, as these programs do. */
const wanted = /^lib(xt|ipt|ip6t)_.+\.so$/;

/** Adds them all, with their libraries: `iptables-save` cannot show the rules of others without. Nothing without libxtables. */
export async function addExtensions(tree: FileTree, libraries: readonly string[]): Promise<void> {
  const libxtables = libraries.find((path) => basename(path).startsWith('libxtables.so'));
  if (libxtables === undefined) return;
  const folder = folderIn(await readFile(await realpath(libxtables)), libxtables);
  const files: string[] = [];
  for (const entry of (await readdir(folder, { withFileTypes: true })).filter(({ name }) => wanted.test(name))) {
    const path = join(folder, entry.name);
    // An extension of two names is a link in the same folder.
    if (entry.isSymbolicLink()) tree.addSymlink(path.slice(1), basename(await realpath(path)));
    else files.push(path);
  }
  for (const path of files) tree.addFile(path.slice(1), await readFile(path), 0o644);
  await addLibraries(tree, ...files);
}

/** The path in the bytes of libxtables: a text of its own that ends in `/xtables`. */
export function folderIn(bytes: Buffer, library: string): string {
  const path = /\0(\/[\w./+-]*\/xtables)\0/.exec(bytes.toString('latin1'))?.[1];
  if (path !== undefined) return path;
  const message = `${library} does not say where the extensions of iptables lie`;
  throw new MeshError('MESH-HOST-001', { message, hint: 'Install iptables as your distribution has it.' });
}
