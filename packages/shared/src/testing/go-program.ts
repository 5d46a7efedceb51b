/** Programs in Go that tests use, built once into the user's cache. */
import { execFile, spawn } from 'node:child_process';
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export type GoProgram = {
  /** Of the binary. */
  readonly name: string;
  /** Names its place in the cache. */
  readonly version: string;
  /** What `go install` builds, with a version of its own. */
  readonly module: string;
  /** What the binary is asked, and what it must say, to be taken as it is. */
  readonly proof: { readonly argument: string; readonly says: string };
};

const run = promisify(execFile);

/** The path of the binary; builds it with Go where the cache has none (a minute or two). */
export async function installGoProgram(program: GoProgram): Promise<string> {
  const { name, version, module } = program;
  const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'clearmesh', `${name}-${version}`);
  const binary = join(cache, name);
  if (await works(binary, program)) return binary;
  await mkdir(cache, { recursive: true });
  // Others may build at the same time: each in a place of its own, and the last rename wins.
  const building = await mkdtemp(join(cache, 'building-'));
  try {
    process.stderr.write(`building ${name} ${version} with go install; this takes a minute or two\n`);
    await goInstall(module, building);
    await rename(join(building, name), binary);
  } finally {
    await rm(building, { recursive: true, force: true });
  }
  process.stderr.write(`${name} ${version} is in ${binary}\n`);
  return binary;
}

async function works(binary: string, { proof }: GoProgram): Promise<boolean> {
  try {
    await access(binary);
    return (await run(binary, [proof.argument])).stdout.includes(proof.says);
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
