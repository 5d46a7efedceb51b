/**
 * A rolldown plugin for programs and files that a module names by its own place. In the tree such a place is a source
 * file; beside the bundle it is a program of its own, or a copy:
 *
 *   new URL('./opa-wasm-worker.ts', import.meta.url)         ─▶  new URL('./waypoint-authorise-opa-wasm-worker.mjs', import.meta.url)
 *   import.meta.resolve('@clearmesh/ztunnel/main')           ─▶  new URL('./ztunnel-main.mjs', import.meta.url).href
 *   new URL('../package.json', import.meta.url)              ─▶  new URL('./cli-package.json', import.meta.url)
 *
 *   const require = createRequire(import.meta.url)           ─▶  nothing: what is required is bundled
 *
 * A directory stays behind: manifests of the demo belong to the working tree.
 */
import { readFile, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { Plugin, PluginContext } from 'rolldown';

const references =
  /new URL\(\s*'(?<path>\.{1,2}\/[^']+)',\s*import\.meta\.url,?\s*\)|import\.meta\.resolve\('(?<module>[^']+)'\)/g;

/** How a module asks for a package of the old kind; without it the bundler sees the calls, and bundles what they ask for. */
const ownRequire = /^const require = createRequire\(import\.meta\.url\);$/m;

/** @param root the repository, absolute */
export function siblingPrograms(root: string): Plugin {
  return {
    name: 'sibling-programs',
    async transform(code, id) {
      if (!id.startsWith(root) || id.includes('/node_modules/') || !id.endsWith('.ts')) return null;
      const found = [...code.matchAll(references)];
      let changed = code.replace(ownRequire, '');
      for (const { 0: text, groups } of found) {
        const replacement = await replacementOf(this, root, id, groups ?? {});
        if (replacement !== undefined) changed = changed.replace(text, () => replacement);
      }
      return changed === code ? null : { code: changed };
    },
  };
}

async function replacementOf(
  context: PluginContext,
  root: string,
  importer: string,
  { path, module }: Readonly<Record<string, string | undefined>>,
): Promise<string | undefined> {
  const target = module === undefined ? join(dirname(importer), path ?? '') : (await context.resolve(module, importer))?.id;
  if (target === undefined) {
    throw new MeshError('MESH-CONFIG-003', { message: `${relative(root, importer)} names ${module}, which is no module` });
  }
  const kind = await stat(target).catch(() => undefined);
  if (kind === undefined || kind.isDirectory()) return undefined;
  const name = siblingName(relative(root, target));
  if (target.endsWith('.ts')) context.emitFile({ type: 'chunk', id: target, fileName: name });
  else context.emitFile({ type: 'asset', fileName: name, source: await readFile(target) });
  const url = `new URL('./${name}', import.meta.url)`;
  return module === undefined ? url : `${url}.href`;
}

/** `packages/waypoint/src/authorise/opa-wasm-worker.ts` → `waypoint-authorise-opa-wasm-worker.mjs`; no two files share one. */
export function siblingName(path: string): string {
  return path
    .replace(/^packages\//, '')
    .replace('/src/', '/')
    .replace(/\.ts$/, '.mjs')
    .replaceAll('/', '-');
}
