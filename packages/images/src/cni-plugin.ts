/**
 * The CNI plugin as one file that needs no Node on the host: a bundle of packages/node-agent/src/plugin inside the Node that
 * runs this build (a single executable application, docs of Node: "Single executable applications"). It needs of the host
 * what every Node for Linux needs: glibc, libstdc++, libgcc_s, and libatomic.
 */
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { rolldown } from 'rolldown';

const run = promisify(execFile);

const entry = join(import.meta.dirname, '../../node-agent/src/plugin/main.ts');

/** Writes the plugin to `outFile`, whole or not at all; its directory must exist. Takes some seconds and 150 MB. */
export async function buildPlugin(outFile: string): Promise<void> {
  const target = resolve(outFile);
  // Beside the target, so that it can be renamed into place.
  const work = await mkdtemp(join(dirname(target), `.${basename(target)}-`));
  try {
    const main = join(work, 'main.cjs');
    await bundlePlugin(main);
    const output = join(work, 'plugin');
    const config = join(work, 'sea.json');
    // With its code cached, since it starts once a pod; and without NODE_OPTIONS of whoever starts it.
    const settings = { main, output, disableExperimentalSEAWarning: true, useCodeCache: true, execArgvExtension: 'none' };
    await writeFile(config, JSON.stringify(settings));
    await run(process.execPath, ['--build-sea', config]);
    await chmod(output, 0o755);
    await rename(output, target);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** The plugin's code alone, as one CommonJS file. */
async function bundlePlugin(outFile: string): Promise<void> {
  await using bundle = await rolldown({ input: entry, platform: 'node', logLevel: 'warn' });
  await bundle.write({ file: outFile, format: 'cjs', minify: true });
}
