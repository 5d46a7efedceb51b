/**
 * From a component to its image.
 *
 *   base (Node, libraries)  ─┐
 *   tools, CNI plugin       ─┼─▶ OCI archive, or a root file system
 *   (node agent only)       │
 *   app (bundle)            ─┘
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { baseTree } from './base-tree.ts';
import { addBundle } from './bundle.ts';
import { buildPlugin } from './cni-plugin.ts';
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
  /** Compressed: the bundle, and what else only this image has. */
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
  const trees = [await toolsTree(component), component.cniPlugin ? await pluginTree() : undefined, app];
  return trees.filter((tree) => tree !== undefined);
}

/** The plugin that the agent installs on its node. */
async function pluginTree(): Promise<FileTree> {
  const work = await mkdtemp(join(tmpdir(), 'clearmesh-plugin-'));
  try {
    const tree = new FileTree();
    const plugin = join(work, 'clearmesh-cni');
    await buildPlugin(plugin);
    tree.addFile('opt/clearmesh/bin/clearmesh-cni', await readFile(plugin), 0o755);
    return tree;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
