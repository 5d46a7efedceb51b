/**
 * From a component to its image.
 *
 *   base (Node, libraries)  ─┐
 *   tools (node agent only) ─┼─▶ OCI archive, or a root file system
 *   app (bundle)            ─┘
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { baseTree } from './base-tree.ts';
import { addBundle } from './bundle.ts';
import type { Component } from './component.ts';
import { FileTree } from './file-tree.ts';
import { cachedLayerOf, layerOf } from './layer.ts';
import { archiveOf, imageName } from './oci-archive.ts';
import type { ImageReference } from './oci-archive.ts';
import { toolsTree } from './tools-tree.ts';

export type BuiltImage = {
  /** As a container runtime knows it. */
  readonly name: string;
  /** The archive, absolute or as `directory` was given. */
  readonly path: string;
  readonly archiveBytes: number;
  /** Compressed. */
  readonly baseBytes: number;
  /** Compressed: the bundle, and tools where there are some. */
  readonly ownBytes: number;
};

/** Writes `NAME.oci.tar` into `directory`. */
export async function buildImage(component: Component, directory: string, reference: ImageReference): Promise<BuiltImage> {
  const base = await cachedLayerOf(await baseTree());
  const own = await Promise.all((await ownTrees(component)).map((tree) => layerOf(tree)));
  const archive = await archiveOf(component, [base, ...own], reference);
  await mkdir(directory, { recursive: true });
  const path = join(directory, `${component.name}.oci.tar`);
  await writeFile(path, archive);
  return {
    name: imageName(reference, component),
    path,
    archiveBytes: archive.length,
    baseBytes: base.bytes.length,
    ownBytes: own.reduce((sum, { bytes }) => sum + bytes.length, 0),
  };
}

/** Writes the image's root file system below `directory`: what a Containerfile copies. */
export async function writeRootFilesystem(component: Component, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const tree of [await baseTree(), ...(await ownTrees(component))]) await tree.writeTo(directory);
}

async function ownTrees(component: Component): Promise<readonly FileTree[]> {
  const app = new FileTree();
  await addBundle(app, component, 'app');
  const tools = await toolsTree(component);
  return tools === undefined ? [app] : [tools, app];
}
