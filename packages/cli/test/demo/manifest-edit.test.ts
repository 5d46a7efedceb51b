import { expect } from 'chai';
import { mkdtemp, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { editManifest, editText } from '../../src/demo/manifest-edit.ts';

const text = `# the ledger
apiVersion: v1
kind: Namespace
metadata:
  name: ledger # books
---
apiVersion: v1
kind: Pod
metadata: { name: ledger-0, namespace: ledger }
`;

describe('editText', () => {
  it('sets one field and keeps everything else, comments too', () => {
    const edited = editText(text, { kind: 'Namespace', name: 'ledger' }, [
      { path: ['metadata', 'labels', 'a/b'], value: 'ambient' },
    ]);
    expect(edited).to.equal(text.replace('  name: ledger # books\n', '  name: ledger # books\n  labels:\n    a/b: ambient\n'));
  });

  it('takes a field away again', () => {
    const object = { kind: 'Pod', namespace: 'ledger', name: 'ledger-0' };
    const path = ['metadata', 'deletionTimestamp'];
    const marked = editText(text, object, [{ path, value: '2026-01-01T00:00:00Z' }]);
    expect(marked).to.include('deletionTimestamp: 2026-01-01T00:00:00Z');
    expect(editText(marked!, object, [{ path, value: undefined }])).to.equal(text);
  });

  for (const object of [
    { kind: 'Namespace', name: 'other' },
    { kind: 'Pod', name: 'ledger' },
    { kind: 'Pod', name: 'ledger-0', namespace: 'other' },
  ]) {
    it(`finds no ${object.kind} ${object.namespace ?? ''} ${object.name}`, () => {
      expect(editText(text, object, [])).to.equal(undefined);
    });
  }
});

describe('editManifest', () => {
  it('edits the file the object stands in, below the directory, and says which', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'clearmesh-edit-'));
    try {
      await mkdir(join(directory, 'sub'));
      await writeFile(join(directory, 'a.yaml'), 'kind: Namespace\nmetadata: { name: other }\n');
      await writeFile(join(directory, 'sub', 'b.yml'), text);
      const object = { kind: 'Namespace', name: 'ledger' };
      expect(await editManifest(directory, object, [{ path: ['metadata', 'name'], value: 'books' }])).to.equal('sub/b.yml');
      expect(await readFile(join(directory, 'sub', 'b.yml'), 'utf8')).to.include('name: books # books');
      expect(await readdir(join(directory, 'sub'))).to.deep.equal(['b.yml']);
      const failure = await editManifest(directory, object, []).catch((error: Error) => error.message);
      expect(failure).to.equal(`${directory} has no Namespace ledger`);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
