import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { TemporaryDirectory } from '@clearmesh/shared/testing/temporary-directory';
import { requireZtunnels } from '../../src/up/other-ztunnels.ts';
import type { OtherZtunnels } from '../../src/arguments/ztunnel-option.ts';

const nodes = ['node-a', 'node-b'];

/** Why they may not be; `undefined` when they may. */
async function refusalOf(programs: OtherZtunnels): Promise<string | undefined> {
  try {
    await requireZtunnels(programs, nodes);
    return undefined;
  } catch (error) {
    return String(error);
  }
}

describe('programs that stand in for node proxies', () => {
  it('may be any that can be run, for every node or for one', async () => {
    expect(await refusalOf({ '': process.execPath, 'node-b': process.execPath })).to.equal(undefined);
    expect(await refusalOf({})).to.equal(undefined);
  });

  it('are refused for a node that is not there', async () => {
    expect(await refusalOf({ 'node-c': process.execPath })).to.contain('there is no node node-c');
  });

  it('are refused when they are missing, a directory, or not to be run', async () => {
    await using directory = await TemporaryDirectory.create();
    const text = join(directory.path, 'text');
    await writeFile(text, '', { mode: 0o600 });
    for (const program of [join(directory.path, 'missing'), directory.path, text])
      expect(await refusalOf({ '': program }), program).to.contain(`${program} is no program that may be run`);
  });
});
