import { expect } from 'chai';
import fc from 'fast-check';
import { extract } from 'tar-stream';
import type { Header } from 'tar-stream';
import { FileTree } from '../src/file-tree.ts';

const segment = fc.stringMatching(/^[a-z]{1,3}$/);
/** Some end in `.f`, so that no path is both a file and a directory. */
const filePath = fc
  .tuple(fc.array(segment, { maxLength: 3 }), segment)
  .map(([folders, name]) => [...folders, `${name}.f`].join('/'));
const files = fc.uniqueArray(fc.tuple(filePath, fc.string()), { selector: ([path]) => path, minLength: 1 });

describe('a file tree', () => {
  it('packs to the same bytes, in whatever order it was filled', () =>
    fc.assert(
      fc.asyncProperty(files, async (entries) => {
        const forwards = treeOf(entries);
        const backwards = treeOf(entries.toReversed());
        expect(forwards.digest).to.equal(backwards.digest);
        expect((await forwards.toTar()).equals(await backwards.toTar())).to.equal(true);
      }),
      { numRuns: 30 },
    ));

  it('holds every parent before what lies in it', () =>
    fc.assert(
      fc.asyncProperty(files, async (entries) => {
        const seen = new Set(['.']);
        for (const { name, type } of await headersOf(treeOf(entries))) {
          const path = name.replace(/\/$/, '');
          expect(seen.has(path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '.')).to.equal(true);
          if (type === 'directory') seen.add(path);
        }
      }),
      { numRuns: 30 },
    ));

  it('belongs to root and is of no date', async () => {
    const [header] = await headersOf(treeOf([['a.f', 'x']]));
    expect(header).to.include({ uid: 0, gid: 0, mode: 0o644 });
    expect(header?.mtime?.getTime()).to.equal(0);
  });

  it('has another digest when a mode differs', () => {
    const one = new FileTree();
    one.addFile('a', 'x', 0o644);
    const other = new FileTree();
    other.addFile('a', 'x', 0o755);
    expect(one.digest).not.to.equal(other.digest);
  });
});

function treeOf(entries: readonly (readonly [string, string])[]): FileTree {
  const tree = new FileTree();
  for (const [path, content] of entries) tree.addFile(path, content);
  return tree;
}

async function headersOf(tree: FileTree): Promise<readonly Header[]> {
  const headers: Header[] = [];
  const reader = extract();
  reader.end(await tree.toTar());
  for await (const entry of reader) {
    headers.push(entry.header);
    entry.resume();
  }
  return headers;
}
