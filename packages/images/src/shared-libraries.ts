/** The shared libraries of programs, as the loader of this machine finds them. */
import { execFile } from 'node:child_process';
import { readFile, realpath } from 'node:fs/promises';
import { promisify } from 'node:util';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { FileTree } from './file-tree.ts';

const run = promisify(execFile);

/** Adds each library under the path it is asked for, and says which; several programs may share one. */
export async function addLibraries(tree: FileTree, ...programs: readonly string[]): Promise<readonly string[]> {
  const paths = [...new Set(librariesIn(await ldd(programs)))];
  for (const path of paths) {
    // The loader is asked for by the path that stands in the program, and lies elsewhere where /lib64 is a link.
    tree.addFile(path.slice(1), await readFile(await realpath(path)), 0o755);
  }
  return paths;
}

/** The paths in what ldd prints; `linux-vdso` has none, being no file. */
export function librariesIn(output: string): readonly string[] {
  const missing = /^\s*(\S+) => not found$/m.exec(output);
  if (missing !== null) throw new MeshError('MESH-HOST-001', { message: `the library ${missing[1]} is not on this machine` });
  return [...output.matchAll(/(\/\S+) \(0x[0-9a-f]+\)$/gm)].flatMap(([, path]) => path ?? []);
}

async function ldd(programs: readonly string[]): Promise<string> {
  try {
    return (await run('ldd', [...programs], { env: { ...process.env, LC_ALL: 'C' } })).stdout;
  } catch (error) {
    throw new MeshError('MESH-HOST-001', {
      message: `ldd could not say what ${programs.join(', ')} needs: ${String(error)}`,
      cause: error,
    });
  }
}
