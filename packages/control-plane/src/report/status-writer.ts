/** The report as a file: replaced by rename, so that a reader sees the old one or the new one, never half of one. */
import { chmod, rename, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { StatusReport } from './status-report.ts';

/** Everybody on the machine may read it: it says what manifests say, and holds no secret. */
const mode = 0o644;

export class StatusWriter implements AsyncDisposable {
  readonly #path: string;
  readonly #logger: Logger;
  #written: string | undefined;
  /** What is to be written next; reports in between are skipped. */
  #wanted: string | undefined;
  #writing: Promise<void> = Promise.resolve();

  private constructor(path: string, logger: Logger) {
    this.#path = path;
    this.#logger = logger;
  }

  /** MESH-CONFIG-003 when there is no such directory. */
  static async open(path: string, deps: { readonly logger: Logger }): Promise<StatusWriter> {
    const directory = dirname(path);
    const isDirectory = await stat(directory).then(
      (stats) => stats.isDirectory(),
      () => false,
    );
    if (isDirectory) return new StatusWriter(path, deps.logger);
    throw new MeshError('MESH-CONFIG-003', {
      message: `--status-out: ${directory} is not a directory`,
      hint: 'Create it, or name a file elsewhere.',
    });
  }

  /** JSON, which is YAML too. Writes are made one after the other; failures are logged, and mended by the next report. */
  write(report: StatusReport): void {
    this.#wanted = `${JSON.stringify(report, undefined, 2)}\n`;
    this.#writing = this.#writing.then(() => this.#replace());
  }

  /** Resolves when all reports so far are in the file. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
  }

  async #replace(): Promise<void> {
    const text = this.#wanted;
    if (text === undefined || text === this.#written) return;
    const temporary = `${this.#path}.next`;
    try {
      await writeFile(temporary, text, { mode });
      // The umask may have taken bits away, and a file left over from before has its own.
      await chmod(temporary, mode);
      await rename(temporary, this.#path);
      this.#written = text;
    } catch (error) {
      this.#logger.warn('the status could not be written', {
        file: this.#path,
        error: error instanceof Error ? error.message : String(error),
      });
    }
  }
}
