import { expect } from 'chai';
import { addBundle } from '../src/bundle.ts';
import { componentNames, componentOf } from '../src/component.ts';
import type { ComponentName } from '../src/component.ts';
import { FileTree } from '../src/file-tree.ts';
import { readTar } from './read-tar.ts';

/** What lies in the bundle beside main.mjs, since it is started or read by its name. */
const siblings: Readonly<Partial<Record<ComponentName, readonly string[]>>> = {
  waypoint: ['app/waypoint-authorise-opa-wasm-worker.mjs'],
  cli: ['app/cli-package.json', 'app/ztunnel-main.mjs'],
  ztunnel: [`app/node_modules/@koromix/koffi-linux-${process.arch}/index.js`],
};

describe('a bundle', () => {
  for (const name of componentNames) {
    it(`of ${name} is sound, whole and the same when it is made again`, async function () {
      this.timeout(60_000);
      const tree = await bundleOf(name);
      const files = await readTar(await tree.toTar());
      expect([...files.keys()]).to.include.members(['app/main.mjs', ...(siblings[name] ?? [])]);
      const sources = [...files].filter(([path]) => path.endsWith('.mjs')).map(([, bytes]) => bytes.toString('utf8'));
      for (const source of sources) {
        expect(packagesIn(source)).to.deep.equal([]);
        expect(source).not.to.match(/[^\0-\u{ff}]/u);
        expect(source).not.to.match(/new URL\(\s*['"][^'"]+\.ts['"]/);
      }
      expect((await bundleOf(name)).digest).to.equal(tree.digest);
    });
  }
});

async function bundleOf(name: ComponentName): Promise<FileTree> {
  const tree = new FileTree();
  await addBundle(tree, componentOf(name), 'app');
  return tree;
}

/** Imports that Node would look for in node_modules, where nothing is. */
function packagesIn(source: string): readonly string[] {
  const builtins = new Set(process.getBuiltinModule('node:module').builtinModules);
  const imports = [...source.matchAll(/^(?:import|export) [^;'"]*from "([^"]+)";$|^import "([^"]+)";$/gm)].map(
    ([, from, bare]) => from ?? bare ?? '',
  );
  return imports.filter((name) => !name.startsWith('.') && !name.startsWith('node:') && !builtins.has(name));
}
