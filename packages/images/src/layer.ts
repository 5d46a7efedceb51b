/** A layer of an image: a gzipped tar with the digests that an image names it by. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { FileTree } from './file-tree.ts';

export type Layer = {
  readonly bytes: Buffer;
  /** Of the compressed bytes. */
  readonly digest: string;
  /** Of the tar in them. */
  readonly diffId: string;
};

const compress = promisify(gzip);

export async function layerOf(tree: FileTree): Promise<Layer> {
  const tar = await tree.toTar();
  const bytes = await compress(tar, { level: 6 });
  return { bytes, digest: sha256(bytes), diffId: sha256(tar) };
}

/** The same from the user's cache, where it lies under the digest of the tree: half a minute for the tree with Node. */
export async function cachedLayerOf(tree: FileTree): Promise<Layer> {
  const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'clearmesh', 'layers');
  const place = join(cache, `${tree.digest}.tar.gz`);
  const known = await readLayer(place);
  if (known !== undefined) return known;
  const layer = await layerOf(tree);
  await mkdir(cache, { recursive: true });
  // By rename, and the digest last: another build may read at the same time, and a layer without digest is none.
  await replaceFile(place, layer.bytes);
  await replaceFile(`${place}.json`, JSON.stringify({ digest: layer.digest, diffId: layer.diffId }));
  return layer;
}

/** As OCI writes it. */
export function sha256(bytes: Buffer | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** `undefined` for what is not there, and for what is damaged. */
async function readLayer(place: string): Promise<Layer | undefined> {
  try {
    const told = JSON.parse(await readFile(`${place}.json`, 'utf8')) as { readonly digest: string; readonly diffId: string };
    const bytes = await readFile(place);
    return sha256(bytes) === told.digest ? { bytes, ...told } : undefined;
  } catch {
    return undefined;
  }
}

async function replaceFile(path: string, content: Buffer | string): Promise<void> {
  const partial = `${path}.${process.pid}`;
  try {
    await writeFile(partial, content);
    await rename(partial, path);
  } finally {
    await rm(partial, { force: true });
  }
}
