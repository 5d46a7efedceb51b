import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { checkHost, findTool, missingToolsError, toolPath } from '../../src/host/tools.ts';

describe('host tools', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'clearmesh-tools-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  async function install(name: string, mode = 0o755): Promise<void> {
    await writeFile(join(directory, name), '');
    await chmod(join(directory, name), mode);
  }

  it('names each missing tool with its Debian package', async () => {
    for (const tool of ['ip', 'nsenter', 'setpriv', 'unshare', 'mount', 'sh']) await install(tool);
    expect(await checkHost({ needs: ['lab', 'wiretap'], path: directory })).to.deep.equal([
      { tool: 'nft', debianPackage: 'nftables', neededFor: 'capture rules and cluster IPs' },
      { tool: 'tcpdump', debianPackage: 'tcpdump', neededFor: 'watching the link between nodes' },
    ]);
  });

  it('asks only for what the caller needs', async () => {
    expect((await checkHost({ needs: ['redis'], path: directory })).map(({ tool }) => tool)).to.deep.equal(['redis-server']);
    await install('redis-server');
    expect(await checkHost({ needs: ['redis'], path: directory })).to.deep.equal([]);
  });

  it('looks through the path in order', async () => {
    await install('ip');
    expect(await findTool('ip', `/nonexistent:${directory}`)).to.equal(join(directory, 'ip'));
    expect(await findTool('ip', '/nonexistent')).to.equal(undefined);
  });

  it('gives one command that installs everything, each package once', async () => {
    const error = missingToolsError(await checkHost({ needs: ['lab'], path: directory }));
    expect(error.code).to.equal('MESH-HOST-001');
    expect(error.message).to.include('nft (capture rules and cluster IPs)');
    expect(error.hint).to.equal('Debian and Ubuntu: sudo apt-get install iproute2 nftables util-linux mount dash');
  });

  it('looks in the system directories that an ordinary PATH lacks, and in no relative one', () => {
    expect(toolPath({ PATH: '/opt/bin::bin:/usr/bin' })).to.equal(
      '/opt/bin:/usr/bin:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/bin',
    );
    expect(toolPath({})).to.match(/^\/usr\/local\/sbin:/);
  });
});
