/** A bundle on disk: a directory or a `tar.gz`, read with bounds. */
import { readFile, readdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { readTar } from './tar.ts';
import type { TarFile } from './tar.ts';

export type BundleLimits = {
  /** All files together, unpacked. @default 33 554 432 */
  readonly maxBytes?: number;
  /** @default 1 024 */
  readonly maxFiles?: number;
};

const unpack = promisify(gunzip);

/** Tells versions apart without reading them: names, sizes and times of change. */
export async function fingerprint(path: string, limits: BundleLimits = {}): Promise<string> {
  const seen: string[] = [];
  for (const file of await filesAt(path, limits)) {
    const { size, mtimeMs, ctimeMs, ino } = await stat(file);
    seen.push(`${file}|${size}|${mtimeMs}|${ctimeMs}|${ino}`);
  }
  return seen.join('\n');
}

/** Rejects with a sentence for the log. */
export async function readBundleFiles(path: string, limits: BundleLimits = {}): Promise<readonly TarFile[]> {
  const maxBytes = limits.maxBytes ?? 33_554_432;
  if (!(await stat(path)).isDirectory()) return readArchive(path, maxBytes, limits);
  const files: TarFile[] = [];
  let total = 0;
  for (const file of await filesAt(path, limits)) {
    total += (await stat(file)).size;
    if (total > maxBytes) throw tooLarge(path, maxBytes);
    files.push({ name: relative(path, file), bytes: await readFile(file) });
  }
  return files;
}

async function readArchive(path: string, maxBytes: number, limits: BundleLimits): Promise<readonly TarFile[]> {
  if ((await stat(path)).size > maxBytes) throw tooLarge(path, maxBytes);
  const reading = readTar(await unpack(await readFile(path), { maxOutputLength: maxBytes }), limits);
  if (reading.kind === 'malformed') throw new Error(`${path} is no tar archive: ${reading.reason}`);
  return reading.files;
}

/** A mounted ConfigMap shows its files as links into a hidden directory, `..data`, that is replaced as a whole. */
async function filesAt(path: string, limits: BundleLimits): Promise<readonly string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  const maxFiles = limits.maxFiles ?? 1_024;
  const names = (await readdir(path, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() || entry.isSymbolicLink())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !relative(path, file).startsWith('..'))
    .sort();
  if (names.length > maxFiles) throw new Error(`${path} has more than ${maxFiles} files`);
  const files: string[] = [];
  for (const name of names) if ((await stat(name)).isFile()) files.push(name);
  return files;
}

function tooLarge(path: string, maxBytes: number): Error {
  return new Error(`${path} has more than ${maxBytes} bytes`);
}
