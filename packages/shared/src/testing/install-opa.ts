/**
 * Builds the OPA binary that tests and examples/policies use, once, into the user's cache.
 */
import { execFile, spawn } from 'node:child_process';
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** The newest 1.x that builds with the Go of this repository's machines. */
const version = '1.22.2';

const run = promisify(execFile);

/** The path of `opa`; builds it with Go where the cache has none (a minute or two). */
export async function installOpa(): Promise<string> {
  const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'clearmesh', `opa-${version}`);
  const binary = join(cache, 'opa');
  if (await works(binary)) return binary;
  await mkdir(cache, { recursive: true });
  // Others may build at the same time: each in a place of its own, and the last rename wins.
  const building = await mkdtemp(join(cache, 'building-'));
  try {
    process.stderr.write(`building OPA ${version} with go install; this takes a minute or two\n`);
    await goInstall(`github.com/open-policy-agent/opa@v${version}`, building);
    await rename(join(building, 'opa'), binary);
  } finally {
    await rm(building, { recursive: true, force: true });
  }
  process.stderr.write(`OPA ${version} is in ${binary}\n`);
  return binary;
}

async function works(binary: string): Promise<boolean> {
  try {
    await access(binary);
    return (await run(binary, ['version'])).stdout.includes(version);
  } catch {
    return false;
  }
}

function goInstall(module: string, into: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const go = spawn('go', ['install', module], { env: { ...process.env, GOBIN: into }, stdio: ['ignore', 'ignore', 'inherit'] });
    go.once('error', (error) => reject(new Error(`go cannot be run (${error.message}); install Go 1.26 or newer`)));
    go.once('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`go install ${module} ended with code ${code}; its output says why`));
    });
  });
}
