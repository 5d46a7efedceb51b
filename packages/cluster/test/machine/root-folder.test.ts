import { mkdtemp, open, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { installFile } from '../../src/machine/root-folder.ts';

describe('a file that is installed where it may be in use', () => {
  let folder: string;
  let source: string;
  let target: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'clearmesh-install-'));
    source = join(folder, 'bridge');
    target = join(folder, 'installed');
    await writeFile(source, 'first');
  });

  afterEach(() => rm(folder, { recursive: true }));

  it('has the content and the mode, and leaves no draft', async () => {
    await installFile(source, target, 0o755);
    expect(await readFile(target, 'utf8')).to.equal('first');
    expect((await stat(target)).mode & 0o777).to.equal(0o755);
    expect((await readdir(folder)).sort()).to.deep.equal(['bridge', 'installed']);
  });

  it('is the same file as before when nothing changed', async () => {
    await installFile(source, target, 0o755);
    const before = await stat(target, { bigint: true });
    await installFile(source, target, 0o755);
    const after = await stat(target, { bigint: true });
    expect([after.ino, after.mtimeNs]).to.deep.equal([before.ino, before.mtimeNs]);
  });

  it('is another one when something changed, and who has the old one open still reads that', async () => {
    await installFile(source, target, 0o755);
    await using user = await open(target);
    await writeFile(source, 'second');
    await installFile(source, target, 0o755);
    expect(await readFile(target, 'utf8')).to.equal('second');
    expect(await user.readFile('utf8')).to.equal('first');
  });
});
