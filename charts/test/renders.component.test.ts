import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { parseAllDocuments } from 'yaml';
import { chartNames, chartPath, helm, render } from './helm.ts';
import { renderFile, rendered, renders } from './renders.ts';

describe('a chart', function () {
  this.timeout(240_000);

  for (const chart of chartNames) {
    it(`${chart} has nothing for helm lint to complain of`, async () => {
      const { status, stdout, stderr } = await helm(['lint', '--strict', '--kube-version', '1.37.2', chartPath(chart)]);
      expect(`${stdout}${stderr}`).to.contain('0 chart(s) failed');
      expect(status).to.equal(0);
    });
  }

  for (const each of renders) {
    it(`renders "${each.name}" as it did (npm run renders, where the change is meant)`, async () => {
      expect(await rendered(each)).to.equal(await readFile(renderFile(each.name), 'utf8'));
    });
  }

  it('of the whole is the four parts together', async () => {
    const parts = await Promise.all((['base', 'control-plane', 'node-agent', 'ztunnel'] as const).map((part) => render(part)));
    expect(identitiesIn(await render('clearmesh'))).to.have.members(parts.flatMap(identitiesIn));
  });

  it('can be packed, links and all', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'clearmesh-charts-'));
    try {
      const { status, stderr } = await helm(['package', chartPath('clearmesh'), '--destination', folder]);
      expect(stderr).to.equal('');
      expect(status).to.equal(0);
      const [archive = ''] = await readdir(folder);
      const packed = await helm([
        'template',
        'clearmesh',
        join(folder, archive),
        '--namespace',
        'clearmesh-system',
        '--kube-version',
        '1.37.2',
      ]);
      expect(packed.stdout).to.equal(await render('clearmesh'));
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

function identitiesIn(text: string): readonly string[] {
  return parseAllDocuments(text).map((document) => {
    const { kind, metadata } = document.toJS() as { readonly kind: string; readonly metadata: { readonly name: string } };
    return `${kind} ${metadata.name}`;
  });
}
