/** Programs of this machine that a component runs, with their libraries. */
import { access, constants, readFile, realpath } from 'node:fs/promises';
import { basename } from 'node:path';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { Component } from './component.ts';
import { FileTree } from './file-tree.ts';
import { addLibraries } from './shared-libraries.ts';
import { addExtensions } from './xtables-extensions.ts';

/** Where the agent looks for them (its PATH is fixed). */
const folders = ['/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** `undefined` where it runs none. */
export async function toolsTree({ tools }: Pick<Component, 'tools'>): Promise<FileTree | undefined> {
  if (Object.keys(tools).length === 0) return undefined;
  const tree = new FileTree();
  const files = new Set<string>();
  for (const [tool, path] of await findAll(tools)) {
    // A link has the name that its program goes by: what iptables does, and to which tables, is the name it is called by.
    const file = await realpath(path);
    if (basename(file) !== tool) tree.addSymlink(`usr/sbin/${tool}`, basename(file));
    files.add(file);
  }
  for (const file of files) tree.addFile(`usr/sbin/${basename(file)}`, await readFile(file), 0o755);
  await addExtensions(tree, await addLibraries(tree, ...files));
  return tree;
}

/** Each tool with its path; throws once for all that are not there. */
async function findAll(tools: Component['tools']): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const tool of Object.keys(tools)) {
    const path = await find(tool);
    if (path !== undefined) found.set(tool, path);
  }
  const missing = Object.keys(tools).filter((tool) => !found.has(tool));
  if (missing.length === 0) return found;
  const packages = [...new Set(missing.map((tool) => tools[tool]))];
  const [verb, name] = missing.length === 1 ? ['belongs', 'is'] : ['belong', 'are'];
  throw new MeshError('MESH-HOST-001', {
    message: `${missing.join(', ')}, which ${verb} into the image, ${name} not on this machine`,
    hint: `Debian and Ubuntu: sudo apt-get install ${packages.join(' ')}; elsewhere their equivalent.`,
  });
}

async function find(tool: string): Promise<string | undefined> {
  for (const folder of folders) {
    const path = `${folder}/${tool}`;
    if (await isProgram(path)) return path;
  }
  return undefined;
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
