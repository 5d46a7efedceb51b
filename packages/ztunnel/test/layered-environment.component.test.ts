import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { TemporaryDirectory } from '@clearmesh/shared/testing/temporary-directory';
import { layeredEnvironment } from '../src/layered-environment.ts';

describe('layeredEnvironment', () => {
  it('is the environment where there is no proxy configuration', async () => {
    const env = { PROXY_CONFIG: '', A: '1' };
    expect(await layeredEnvironment(env, '/nonexistent/mesh')).to.equal(env);
  });

  it('reads PROXY_CONFIG, and the mesh’s file beneath it', async () => {
    await using directory = await TemporaryDirectory.create();
    const path = join(directory.path, 'mesh');
    await writeFile(path, 'defaultConfig: { discoveryAddress: mesh:1, statsPort: 9 }');
    const env = await layeredEnvironment({ PROXY_CONFIG: 'discoveryAddress: own:1' }, path);
    expect(env).to.include({ XDS_ADDRESS: 'https://own:1', STATS_PORT: '9' });
  });

  it('refuses a mesh’s file that cannot be read', async () => {
    await using directory = await TemporaryDirectory.create();
    await mkdir(join(directory.path, 'mesh'));
    const error = await layeredEnvironment({}, join(directory.path, 'mesh')).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(MeshError);
    expect((error as MeshError).message).to.match(/mesh cannot be read: EISDIR/);
  });
});
