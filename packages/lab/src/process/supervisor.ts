/** All processes of a lab, and the note of them in its run record. */
import { stampOf } from './proc-stat.ts';
import type { ProcessStamp } from './proc-stat.ts';
import { supervise } from './supervised-process.ts';
import type { SpawnOptions, SuperviseDeps, SupervisedProcess } from './supervised-process.ts';

export type SupervisorDeps = SuperviseDeps & {
  /** Told after each start and end, for the run record. */
  readonly onChange: (running: readonly ProcessStamp[]) => Promise<void>;
};

export class Supervisor {
  readonly #deps: SupervisorDeps;
  /** In the order of their start. */
  readonly #running = new Map<SupervisedProcess, ProcessStamp | undefined>();

  constructor(deps: SupervisorDeps) {
    this.#deps = deps;
  }

  async spawn(options: SpawnOptions): Promise<SupervisedProcess> {
    const child = await supervise(options, this.#deps);
    this.#running.set(child, stampOf(child.pid));
    // A record that cannot be rewritten keeps an ended process, whose stamp then fits none: harmless.
    void child.exited.then(() => this.#forget(child)).catch(() => {});
    await this.#tell();
    return child;
  }

  /** Ends what runs in a namespace. */
  async stopIn(namespacePath: string, graceMs: number): Promise<void> {
    const inside = [...this.#running.keys()].filter((child) => child.namespacePath === namespacePath);
    await Promise.all(inside.map((child) => child.stop(graceMs)));
  }

  /** Ends everything at once; a child that others depend on outlives them by its grace at most. */
  async stopAll(graceMs: number): Promise<void> {
    await Promise.all([...this.#running.keys()].map((child) => child.stop(graceMs)));
  }

  async #forget(child: SupervisedProcess): Promise<void> {
    this.#running.delete(child);
    await this.#tell();
  }

  #tell(): Promise<void> {
    return this.#deps.onChange([...this.#running.values()].filter((stamp) => stamp !== undefined));
  }
}
