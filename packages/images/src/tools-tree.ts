/** Programs of this machine that a component runs, with their libraries. */
import { access, constants, readFile } from 'node:fs/promises';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { Component } from './component.ts';
import { FileTree } from './file-tree.ts';
import { addLibraries } from './shared-libraries.ts';

/** Where the agent looks for them (its PATH is fixed). */
const folders = ['/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** `undefined` where it runs none. */
export async function toolsTree({ tools }: Component): Promise<FileTree | undefined> {
  if (Object.keys(tools).length === 0) return undefined;
  const tree = new FileTree();
  for (const [tool, debianPackage] of Object.entries(tools)) {
    const path = await find(tool);
    if (path === undefined) {
      const hint = `Install the Debian package ${debianPackage}, or its equivalent.`;
      throw new MeshError('MESH-HOST-001', { message: `${tool}, which belongs into the image, is not on this machine`, hint });
    }
    tree.addFile(`usr/sbin/${tool}`, await readFile(path), 0o755);
    await addLibraries(tree, path);
  }
  return tree;
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
