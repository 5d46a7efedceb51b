import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { StatusWriter } from '../../src/report/status-writer.ts';
import { TemporaryDirectory } from '@clearmesh/shared/testing/temporary-directory';
import type { StatusReport } from '../../src/report/status-report.ts';

const report = (object: string): StatusReport => ({ serving: 'current', objects: { [object]: {} }, rejections: [] });

describe('StatusWriter', () => {
  it('replaces the file, readable for all, and leaves nothing beside it', async () => {
    await using temporary = await TemporaryDirectory.create();
    const file = join(temporary.path, 'report.json');
    await writeFile(`${file}.next`, 'left over', { mode: 0o600 });
    await chmod(`${file}.next`, 0o600);
    await using writer = await StatusWriter.open(file, { logger: silentLogger });
    for (const name of ['a', 'b', 'c']) writer.write(report(name));
    await writer.settled();
    expect(JSON.parse(await readFile(file, 'utf8'))).to.deep.equal(report('c'));
    expect((await stat(file)).mode & 0o777).to.equal(0o644);
    expect(await readdir(temporary.path)).to.deep.equal(['report.json']);
  });

  it('leaves a file alone that says the same already', async () => {
    await using temporary = await TemporaryDirectory.create();
    const file = join(temporary.path, 'report.json');
    await using writer = await StatusWriter.open(file, { logger: silentLogger });
    writer.write(report('a'));
    await writer.settled();
    const { ino } = await stat(file);
    writer.write(report('a'));
    await writer.settled();
    expect((await stat(file)).ino).to.equal(ino);
  });

  it('logs a failure, and mends it with the next report', async () => {
    await using temporary = await TemporaryDirectory.create();
    const file = join(temporary.path, 'report.json');
    const lines: string[] = [];
    const logger = { ...silentLogger, warn: (message: string): void => void lines.push(message) };
    await using writer = await StatusWriter.open(file, { logger });
    await mkdir(`${file}.next`);
    writer.write(report('a'));
    await writer.settled();
    expect(lines).to.deep.equal(['the status could not be written']);
  });

  it('refuses a file in no directory', async () => {
    const failure = await StatusWriter.open('/nowhere/at/all/report.json', { logger: silentLogger }).catch(
      (error: unknown) => error,
    );
    expect(failure).to.be.instanceOf(MeshError).with.property('code', 'MESH-CONFIG-003');
    expect(failure)
      .to.have.property('message')
      .that.matches(/--status-out: \/nowhere\/at\/all/);
  });
});
