/**
 * `npm run e2e [-- FILE…]`: the mesh on a real Kubernetes of two nodes on this machine, from helm install to uninstall, and the
 * page about it command by command. It makes that cluster, and takes it down again; one that runs already is taken down first.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { whyNot } from '@clearmesh/cluster/host-check';

const reasons = await whyNot();
if (reasons.length > 0) {
  console.error(`This machine cannot run a cluster: ${reasons.join('; ')}`);
  process.exitCode = 1;
} else {
  const files = process.argv.slice(2);
  const wanted = files.length === 0 ? ['cluster/**/*.cluster.test.ts'] : files;
  const args = ['--config', '../.mocharc.json', '--timeout', '240000', ...wanted];
  const mocha = spawn('mocha', args, { cwd: join(import.meta.dirname, '../e2e'), stdio: 'inherit' });
  mocha.on('error', (error) => {
    console.error(`mocha could not be started: ${error.message}`);
    process.exitCode = 1;
  });
  mocha.on('exit', (code) => {
    process.exitCode = code ?? 1;
  });
}
