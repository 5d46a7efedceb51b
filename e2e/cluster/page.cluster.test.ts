/** docs/KUBERNETES.md, as a stranger reads it: every command in its order, in one shell, with what the page says of the answers. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { repository } from '../harness/mesh-cluster.ts';
import { Shell } from '../harness/shell.ts';

type Block = { readonly language: string; readonly lines: readonly string[] };

describe('the page about Kubernetes', function () {
  this.timeout(600_000);

  it('leads from a clone to the refused call, and out again', async () => {
    const blocks = blocksOf(await readFile(join(repository, 'docs/KUBERNETES.md'), 'utf8'));
    expect(blocks.filter(({ language }) => language === 'sh').length).to.be.greaterThan(5);
    await using shell = new Shell(repository);
    let said = '';
    // One that an earlier run left holds what the page makes.
    await shell.run('npm run cluster -- down');
    try {
      for (const { language, lines } of blocks) {
        if (language === 'sh') said = await shell.run(lines.join('\n'));
        else for (const line of lines) expect(said).to.include(line);
      }
    } finally {
      await shell.run('npm run cluster -- down').catch(() => '');
    }
  });
});

/** The page's code blocks: commands (`sh`) and what of their answers is promised (`text`). */
function blocksOf(page: string): readonly Block[] {
  return [...page.matchAll(/^```(sh|text)\n([\s\S]*?)^```$/gm)].map(([, language = '', text = '']) => ({
    language,
    lines: text.trim().split('\n'),
  }));
}
