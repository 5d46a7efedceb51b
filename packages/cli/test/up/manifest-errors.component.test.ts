import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { TemporaryDirectory } from '@clearmesh/shared/testing/temporary-directory';
import { explainProblems, ManifestErrors } from '../../src/up/manifest-errors.ts';
import { ManifestFeed } from '../../src/up/manifest-feed.ts';

const namespace = (name: string): string => `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ${name}\n`;
const deployment = (name: string): string =>
  `apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: ${name}, namespace: bank }\n`;

describe('errors in a directory of manifests', () => {
  /** What is thrown for these files, and how it is told: with the directory as `DIR`. */
  const refusalOf = async (files: Readonly<Record<string, string>>): Promise<readonly [string, readonly string[]]> => {
    await using directory = await TemporaryDirectory.create();
    for (const [name, text] of Object.entries(files)) {
      const path = join(directory.path, name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text);
    }
    const thrown = await ManifestFeed.check(directory.path, new AbortController().signal).catch((error: unknown) => error);
    if (!(thrown instanceof ManifestErrors)) return expect.fail(`it is refused by ${String(thrown)}`);
    const seen = [directory.path, relative(process.cwd(), directory.path)].toSorted((a, b) => a.length - b.length)[0] ?? '';
    return [thrown.message, explainProblems(thrown.problems).replaceAll(seen, 'DIR').split('\n')];
  };

  it('are a line each, with the remedy beneath', async () => {
    expect(await refusalOf({ 'a.yaml': 'apiVersion: v1\nkind: Namespace\nmetadata: { name: Bank }\n' })).to.deep.equal([
      '1 error in the manifests',
      [
        'DIR/a.yaml:3:19: Namespace Bank: metadata.name: must be lower-case letters, digits, "-" and "." (found "Bank") [MESH-CONFIG-001]',
        '  → Write lower-case letters, digits, "-" and ".".',
      ],
    ]);
  });

  it('of several files stand together where one remedy is for all of them, which is told once', async () => {
    const [title, lines] = await refusalOf({
      'one/bank.yaml': namespace('bank'),
      'one/apps.yaml': `${deployment('a')}---\n${deployment('b')}`,
      'two/apps.yaml': deployment('c'),
      'two/bank.yaml': namespace('bank'),
    });
    expect(title).to.equal('4 errors in the manifests, 3 files of them');
    const [first, second, third, kinds, taken, rename, ...more] = lines;
    expect([first, second, third].map((line) => line?.split(': kind: ')[0])).to.deep.equal([
      'DIR/one/apps.yaml:2:7: Deployment bank/a',
      'DIR/one/apps.yaml:6:7: Deployment bank/b',
      'DIR/two/apps.yaml:2:7: Deployment bank/c',
    ]);
    expect(kinds).to.match(/^ {2}→ Supported: Namespace, Node, Pod, /);
    expect(taken).to.match(/^DIR\/two\/bank.yaml:4:9: Namespace bank: metadata.name: is already taken/);
    expect(taken).to.contain('(DIR/one/bank.yaml:4)');
    expect(rename).to.equal('  → Rename or remove one of the two.');
    expect(more).to.deep.equal([]);
  });

  it('are told twenty for one remedy, and how many more there are', async () => {
    const [title, lines] = await refusalOf({
      'apps.yaml': Array.from({ length: 23 }, (_, at) => deployment(`a${at}`)).join('---\n'),
    });
    expect(title).to.equal('23 errors in the manifests');
    expect(lines).to.have.length(22);
    expect(lines[20]).to.equal('… and 3 more like these');
  });
});

describe('a place that a message names', () => {
  it('is told as seen from here', () => {
    const { cwd } = process;
    const problem = {
      code: 'MESH-CONFIG-002',
      file: `${cwd()}/two/bank.yaml`,
      line: 4,
      column: 9,
      object: 'Namespace bank',
      field: 'metadata.name',
      value: '"bank"',
      message: `is already taken by another Namespace bank (${cwd()}/one/bank.yaml:4)`,
      remedy: 'Rename or remove one of the two.',
    } as const;
    expect(explainProblems([problem])).to.equal(
      'two/bank.yaml:4:9: Namespace bank: metadata.name: is already taken by another Namespace bank (one/bank.yaml:4) ' +
        '(found "bank") [MESH-CONFIG-002]\n  → Rename or remove one of the two.',
    );
  });
});
