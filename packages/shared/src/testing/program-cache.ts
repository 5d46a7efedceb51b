/**
 * Programs that tests need and no package brings: built from their sources once, into the user's cache, outside of any
 * working tree.
 *
 * P1  a program that is in the cache is whole: it comes by a rename.
 * P2  one builder at a time on a machine; those who waited find what they wanted.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdir, mkdtemp, rename, rm, statfs } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../lifecycle/clock.ts';
import { withMachineLock } from '../lifecycle/machine-lock.ts';

/** Longer than the longest build on the slowest machine that anybody waits for. */
const patienceMs = 3_600_000;

export type ProgramSet<Name extends string> = {
  /** The folder in the cache; it names the version. */
  readonly folder: string;
  /** What a build takes in the cache, in Go's own caches and on the way, in GiB. */
  readonly neededGiB: number;
  /** Builds the missing ones into `into`, an empty folder; each by its name. */
  readonly build: (missing: readonly Name[], into: string) => Promise<void>;
};

/** The path of each program; what the cache lacks is built first. Says on standard error what it does. */
export async function cachedPrograms<Name extends string>(
  set: ProgramSet<Name>,
  names: readonly Name[],
): Promise<Readonly<Record<Name, string>>> {
  const folder = join(cacheDirectory(), set.folder);
  const paths = Object.fromEntries(names.map((name) => [name, join(folder, name)])) as Record<Name, string>;
  if ((await missingIn(paths, names)).length === 0) return paths;
  await mkdir(folder, { recursive: true });
  const busy = (): Error => new Error(`somebody else has been building programs for an hour; ss -xlp | grep ${lockName}`);
  const onWait = (): void => say(`waiting for another build to end before ${set.folder}`);
  const lock = { name: lockName, timeoutMs: patienceMs, busy, onWait, signal: AbortSignal.timeout(patienceMs) };
  await withMachineLock(lock, { clock: systemClock }, async () => {
    const missing = await missingIn(paths, names);
    if (missing.length > 0) await buildInto(set, missing, folder);
  });
  return paths;
}

/** `go` with its messages on standard error and an environment in which what it makes needs no shared library. */
export function runGo(
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  const env = { ...process.env, CGO_ENABLED: '0', ...options.env };
  return new Promise((resolve, reject) => {
    // Builds are long and nobody should notice them.
    const go = spawn('nice', ['-n', '5', 'go', ...args], { ...options, env, stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    go.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    go.once('error', (error) => reject(new Error(`nice cannot be run: ${error.message}`)));
    go.once('close', (code) => {
      if (code === 0) resolve(output);
      else if (code === 127) reject(new Error('go is not installed; install Go 1.26 or newer'));
      else reject(new Error(`go ${args.join(' ')} ended with code ${code}; its output says why`));
    });
  });
}

/** A line for whoever waits. */
export function say(line: string): void {
  process.stderr.write(`clearmesh: ${line}\n`);
}

const lockName = 'clearmesh-program-cache';

function cacheDirectory(): string {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'clearmesh');
}

async function missingIn<Name extends string>(
  paths: Readonly<Record<Name, string>>,
  names: readonly Name[],
): Promise<readonly Name[]> {
  const present = await Promise.all(
    names.map((name) =>
      access(paths[name], constants.X_OK).then(
        () => true,
        () => false,
      ),
    ),
  );
  return names.filter((_name, index) => present[index] === false);
}

async function buildInto<Name extends string>(set: ProgramSet<Name>, missing: readonly Name[], folder: string): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const freeGiB = (bavail * bsize) / 2 ** 30;
  if (freeGiB < set.neededGiB) {
    const free = freeGiB.toFixed(1);
    throw new Error(`building ${missing.join(', ')} takes ${set.neededGiB} GiB, and ${folder} has ${free} GiB free; make room`);
  }
  const building = await mkdtemp(join(folder, 'building-'));
  try {
    const started = Date.now();
    await set.build(missing, building);
    for (const name of missing) await rename(join(building, name), join(folder, name));
    say(`${missing.join(', ')} in ${folder}, after ${Math.round((Date.now() - started) / 1000)} s`);
  } finally {
    await rm(building, { recursive: true, force: true });
  }
}
