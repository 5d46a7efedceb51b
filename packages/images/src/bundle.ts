/** One program and all it imports, as files that need nothing but Node: main.mjs, its chunks, and what has native code. */
import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { rolldown } from 'rolldown';
import type { RolldownLog } from 'rolldown';
import type { Component } from './component.ts';
import type { FileTree } from './file-tree.ts';
import { oneByteText } from './one-byte-text.ts';
import { siblingPrograms } from './sibling-programs.ts';

/** Of the repository. */
export const repository: string = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');

/** Puts the bundle of `component` below `directory` of the tree. */
export async function addBundle(tree: FileTree, component: Component, directory: string): Promise<void> {
  const bundle = await rolldown({
    cwd: repository,
    input: { main: component.entry, ...component.programs },
    platform: 'node',
    plugins: [siblingPrograms(repository)],
    onLog: (_level, log) => recvLog(component, log),
  });
  try {
    // Not minified: what a stack trace names should be found in the source. Comments stay behind: V8 keeps the whole text.
    const { output } = await bundle.generate({
      format: 'esm',
      entryFileNames: '[name].mjs',
      chunkFileNames: '[name]-[hash].mjs',
      comments: { legal: true, annotation: false, jsdoc: false },
    });
    for (const file of output) {
      tree.addFile(join(directory, file.fileName), file.type === 'chunk' ? oneByteText(file.code) : Buffer.from(file.source));
    }
  } finally {
    await bundle.close();
  }
  for (const name of component.nativePackages) await addNativePackage(tree, name, join(directory, 'node_modules'));
}

/** Whatever the bundler is in doubt about would be missing at run time. */
function recvLog({ name }: Component, log: RolldownLog): void {
  const code = log.code ?? 'a warning';
  throw new MeshError('MESH-CONFIG-003', {
    message: `the bundle of ${name} is not sound: ${code}: ${log.message}`,
    hint: 'Mend the import, or say in sibling-programs.ts what becomes of it.',
  });
}

/**
 * The prebuilt binary of a package, for this machine's processor and for glibc. The package's own loader is bundled, and
 * looks for it as a module.
 */
async function addNativePackage(tree: FileTree, name: string, directory: string): Promise<void> {
  const native = `@koromix/${name}-linux-${process.arch}`;
  const folder = dirname(createRequire(import.meta.url).resolve(`${native}/package.json`));
  for (const path of await readdir(folder, { recursive: true })) {
    const wanted = path === 'package.json' || path === 'index.js' || (path.endsWith('.node') && !path.startsWith('musl'));
    if (wanted)
      tree.addFile(join(directory, native, path), await readFile(join(folder, path)), path.endsWith('.node') ? 0o755 : 0o644);
  }
}
