import { expect } from 'chai';
import { siblingName } from '../src/sibling-programs.ts';

describe('the name of a sibling program', () => {
  const table: readonly (readonly [string, string])[] = [
    ['packages/waypoint/src/authorise/opa-wasm-worker.ts', 'waypoint-authorise-opa-wasm-worker.mjs'],
    ['packages/ztunnel/src/main.ts', 'ztunnel-main.mjs'],
    ['packages/cli/package.json', 'cli-package.json'],
  ];
  for (const [path, name] of table) it(`of ${path} is ${name}`, () => expect(siblingName(path)).to.equal(name));
});
