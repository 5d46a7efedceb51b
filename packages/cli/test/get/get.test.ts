import { expect } from 'chai';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { runGet } from '../../src/commands/get.ts';
import type { GetOptions } from '../../src/commands/get.ts';
import { createConsole } from '../../src/terminal/console.ts';

const report = {
  serving: 'last-good',
  objects: {
    'Gateway ledger/gate': { conditions: [{ type: 'Programmed', status: 'True', reason: 'Programmed', message: 'at x' }] },
  },
  rejections: [
    {
      code: 'MESH-CONFIG-001',
      file: 'a.yaml',
      line: 3,
      column: 7,
      object: 'OpaPolicy ledger/x',
      field: 'spec.engine',
      value: '',
      message: 'names no engine',
      remedy: 'Write one of wasm and server.',
    },
  ],
};

describe('clearmesh get', () => {
  let directory: string;
  let statusFile: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'clearmesh-get-'));
    statusFile = join(directory, 'objects.json');
    await writeFile(statusFile, JSON.stringify(report));
  });
  after(() => rm(directory, { recursive: true }));

  const get = async (options: Partial<GetOptions>): Promise<{ status: number; out: string; err: string }> => {
    let [out, err] = ['', ''];
    const console = createConsole({ columns: 120, write: (text) => (out += text) }, { write: (text) => (err += text) }, {});
    const status = await runGet({ kind: 'all', output: 'text', statusFile, ...options }, { console });
    return { status, out, err };
  };
  const failure = async (options: Partial<GetOptions>): Promise<MeshError> => {
    const thrown = await get(options).catch((error: unknown) => error);
    expect(thrown).to.be.instanceOf(MeshError).with.property('code', 'MESH-CONFIG-003');
    return thrown as MeshError;
  };

  it('prints the conditions, and why manifests are refused', async () => {
    const { status, out } = await get({ kind: 'gateways' });
    expect(status).to.equal(0);
    expect(out).to.match(/Gateway +ledger +gate +Programmed +True +Programmed +at x/);
    expect(out).to.include('a.yaml:3:7: OpaPolicy ledger/x: spec.engine: names no engine\n  → Write one of wasm and server.');
    expect(out).to.include('the last good manifests keep serving');
  });

  it('prints the whole status of the objects as JSON', async () => {
    expect(JSON.parse((await get({ output: 'json', kind: 'gateway', name: 'gate' })).out)).to.deep.equal(report);
  });

  it('fails for an object that is not there', async () => {
    const { status, err } = await get({ kind: 'gateway', name: 'x', namespace: 'ledger' });
    expect([status, err.includes('there is no Gateway x in namespace ledger')]).to.deep.equal([1, true]);
  });

  it('names the kind that was probably meant', async () => {
    expect((await failure({ kind: 'gatewy' })).hint).to.include('Did you mean Gateway?');
  });

  for (const [name, text] of [
    ['a file that is not there', undefined],
    ['a file without JSON', 'serving: none'],
    ['another document', '{"pods":{}}'],
  ] as const) {
    it(`refuses ${name}, and says which file it wants`, async () => {
      const file = join(directory, 'other.json');
      if (text !== undefined) await writeFile(file, text);
      const error = await failure({ statusFile: file });
      expect([error.message.includes(file), error.hint.includes('--status-out')]).to.deep.equal([true, true]);
      await rm(file, { force: true });
    });
  }
});
