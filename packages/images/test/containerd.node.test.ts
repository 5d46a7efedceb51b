import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { delay, systemClock } from '@clearmesh/shared/lifecycle/clock';
import { ChildProgram } from '@clearmesh/shared/testing/child-program';
import { expect } from 'chai';
import { buildImage } from '../src/build.ts';
import { componentOf } from '../src/component.ts';

const run = promisify(execFile);
const reference = { hub: 'clearmesh', tag: '0.1.0' };

if (existsSync('/usr/bin/containerd')) {
  describe('an image, given to containerd', function () {
    this.timeout(120_000);
    let folder: string;
    let containerd: ChildProgram;

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'clearmesh-containerd-'));
      await writeFile(join(folder, 'config.toml'), configuration(folder));
      containerd = new ChildProgram('containerd', ['containerd', '--config', join(folder, 'config.toml')], { cwd: folder });
      const ready = async (): Promise<void> => {
        while (!existsSync(join(folder, 'containerd.sock'))) await delay(systemClock, 50, AbortSignal.timeout(30_000));
      };
      await Promise.race([ready(), containerd.mustRun()]);
    });
    after(async () => {
      await containerd.stop(5000);
      await rm(folder, { recursive: true });
    });

    const ctr = async (...args: readonly string[]): Promise<string> =>
      (await run('ctr', ['--address', join(folder, 'containerd.sock'), '--namespace', 'k8s.io', ...args])).stdout;

    it('is known by the name that a pod asks for', async () => {
      const image = await buildImage(componentOf('bank'), folder, reference);
      await ctr('images', 'import', image.path);
      expect((await ctr('images', 'list', '--quiet')).trim()).to.equal('docker.io/clearmesh/bank:0.1.0');
      expect(await ctr('images', 'check')).to.match(/bank:0\.1\.0 .* complete /);
    });

    it('has the same layer below as every other', async () => {
      const image = await buildImage(componentOf('waypoint'), folder, reference);
      await ctr('images', 'import', image.path);
      // Megabytes in two digits: Node and its libraries.
      const large = (await ctr('content', 'list')).split('\n').filter((line) => /^sha256:\w+\s+\d{2,}(\.\d+)?\s?M/.test(line));
      expect(large).to.have.length(1);
    });
  });
} else {
  process.stdout.write('containerd is not on this machine: that it takes our images is not tried\n');
}

/** Without the part that pods are made by: it would look for a network. */
function configuration(folder: string): string {
  return `version = 2
root = "${folder}/root"
state = "${folder}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "${folder}/containerd.sock"
[ttrpc]
  address = "${folder}/containerd.sock.ttrpc"
`;
}
