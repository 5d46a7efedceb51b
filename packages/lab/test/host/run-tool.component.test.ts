import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { createRunTool } from '../../src/host/run-tool.ts';

const run = createRunTool({ PATH: '/usr/bin:/bin', SECRET: 'no' });

async function failure(attempt: Promise<unknown>): Promise<MeshError> {
  const error = await attempt.catch((thrown: unknown) => thrown);
  expect(error).to.be.instanceOf(MeshError);
  return error as MeshError;
}

describe('a tool run', () => {
  it('gets its input and gives its output', async () => {
    expect(await run(['cat'], { input: 'hello' })).to.equal('hello');
  });

  it('inherits nothing but the path', async () => {
    expect(await run(['env'])).to.not.include('SECRET');
  });

  it('may end without reading its input', async () => {
    expect(await run(['true'], { input: 'x'.repeat(1_000_000) })).to.equal('');
  });

  it('that fails says how', async () => {
    const { code, message } = await failure(run(['sh', '-c', 'echo broken >&2; exit 3']));
    expect([code, message]).to.deep.equal(['MESH-LAB-001', 'sh -c echo broken >&2; exit 3 failed: broken [MESH-LAB-001]']);
  });

  it('that does not exist is named', async () => {
    const { code, message } = await failure(run(['no-such-tool']));
    expect([code, message]).to.deep.equal(['MESH-HOST-001', 'no-such-tool is not installed [MESH-HOST-001]']);
  });

  it('ends when its signal aborts', async () => {
    const stop = new AbortController();
    const running = run(['sleep', '60'], { signal: stop.signal }).catch((thrown: Error) => thrown.message);
    stop.abort(new Error('enough'));
    expect(await running).to.equal('enough');
  });
});
