/**
 * Puts the CNI plugin into the node's network configuration, and keeps it there.
 *
 *   watching ── something changed | now and then ──▶ looking ── as it has to be ──▶ watching
 *                                                       └── otherwise ──▶ writing (at most once a second) ──▶ watching
 *
 * T1  a file that cannot be read is reported and left alone until somebody mends it.
 * T2  the agent's end takes nothing away: pods that start without an agent stall rather than escape. Only {@link uninstall} does.
 */
import { watch } from 'node:fs';
import { readFile, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { delay } from '@clearmesh/shared/lifecycle/clock';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Logger } from '@clearmesh/shared/observe/log';
import { PLUGIN_TYPE, activeFile, withEntry, withoutEntry } from './conflist.ts';
import type { Edit, PluginEntry } from './conflist.ts';
import { installProgram, replaceText } from './write-file.ts';

export type InstallerOptions = {
  readonly confDir: string;
  readonly binDir: string;
  /** The file to join; '' for the first one. */
  readonly confName: string;
  /** The program to install. */
  readonly pluginBinary: string;
  readonly entry: PluginEntry;
};

export type InstallerDeps = {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told of every look: why the plugin is not installed, or `undefined` when it is. */
  readonly onState: (problem: string | undefined) => void;
  /** Told of every change of the configuration. */
  readonly onWrite: () => void;
};

/** Between two changes of the configuration, milliseconds. */
const restMs = 1_000;
/** Between two looks when nothing seems to change: watching a directory is no promise. */
const lookMs = 10_000;

export class Installer {
  readonly #options: InstallerOptions;
  readonly #deps: InstallerDeps;
  #problem: string | undefined;
  #program: string | undefined;

  constructor(options: InstallerOptions, deps: InstallerDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Installs and repairs until the signal aborts; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    while (!signal.aborted) {
      const woken = new AbortController();
      const stop = this.#watch(() => woken.abort());
      const wrote = await this.#look();
      if (wrote) await delay(clock, restMs, signal).catch(() => {});
      await delay(clock, lookMs, AbortSignal.any([signal, woken.signal])).catch(() => {});
      stop();
    }
  }

  /** One look; true when it changed the configuration. */
  async #look(): Promise<boolean> {
    try {
      await this.#installProgram();
      const { wrote, problem } = await this.#repair();
      this.#report(problem);
      if (wrote) this.#deps.onWrite();
      return wrote;
    } catch (error) {
      this.#report(error instanceof Error ? error.message : String(error));
      return false;
    }
  }

  /** Compared byte by byte once; from then on by what tells a file from another. */
  async #installProgram(): Promise<void> {
    const target = join(this.#options.binDir, PLUGIN_TYPE);
    if (this.#program !== undefined && (await traitsOf(target)) === this.#program) return;
    if (await installProgram(this.#options.pluginBinary, target)) this.#deps.logger.info('plugin installed', { path: target });
    this.#program = await traitsOf(target);
  }

  async #repair(): Promise<{ readonly wrote: boolean; readonly problem: string | undefined }> {
    const { confDir, confName, entry } = this.#options;
    const fileName = activeFile(await readdir(confDir), confName);
    if (fileName === undefined) {
      const what = confName === '' ? 'no network configuration yet' : `no ${confName} yet`;
      return { wrote: false, problem: `${confDir} has ${what}: the plugin of the pods’ network has to come first` };
    }
    const path = join(confDir, fileName);
    const edit = withEntry(fileName, await readFile(path, 'utf8'), entry);
    if (edit.kind === 'unusable') return { wrote: false, problem: `${path} is left as it is: ${edit.reason}` };
    return { wrote: await apply(confDir, fileName, edit, this.#deps.logger), problem: undefined };
  }

  #report(problem: string | undefined): void {
    if (problem !== undefined && problem !== this.#problem)
      this.#deps.logger.warn('the plugin is not in the network configuration [MESH-AGENT-003]', { problem, retry_ms: lookMs });
    if (problem === undefined && this.#problem !== undefined)
      this.#deps.logger.info('the plugin is in the network configuration');
    this.#problem = problem;
    this.#deps.onState(problem);
  }

  #watch(onChange: () => void): () => void {
    const watchers = [this.#options.confDir, this.#options.binDir].flatMap((path) => {
      try {
        const watcher = watch(path, { persistent: false }, onChange);
        // The directory went; the next look says so.
        watcher.on('error', () => watcher.close());
        return [watcher];
      } catch {
        return [];
      }
    });
    return () => watchers.forEach((watcher) => watcher.close());
  }
}

/** Takes the plugin out of every file of the directory, then the program itself. Rejects with what could not be done. */
export async function uninstall(
  { confDir, binDir }: Pick<InstallerOptions, 'confDir' | 'binDir'>,
  deps: { readonly logger: Logger },
): Promise<void> {
  for (const fileName of (await readdir(confDir)).filter((name) => name.endsWith('.conflist'))) {
    const edit = withoutEntry(fileName, await readFile(join(confDir, fileName), 'utf8'));
    if (edit.kind === 'unusable') deps.logger.warn('file left as it is', { path: join(confDir, fileName), reason: edit.reason });
    else await apply(confDir, fileName, edit, deps.logger);
  }
  await rm(join(binDir, PLUGIN_TYPE), { force: true });
}

async function traitsOf(path: string): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found === undefined ? undefined : `${found.ino} ${found.size} ${found.mtimeMs} ${found.mode}`;
}

async function apply(confDir: string, fileName: string, edit: Edit, logger: Logger): Promise<boolean> {
  if (edit.kind !== 'write') return false;
  const { mode } = await stat(join(confDir, fileName));
  await replaceText(join(confDir, edit.fileName), edit.text, mode & 0o777);
  if (edit.obsolete !== undefined) await rm(join(confDir, edit.obsolete), { force: true });
  logger.info('network configuration changed', { path: join(confDir, edit.fileName) });
  return true;
}
