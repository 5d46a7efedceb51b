/** The tasks of the leader: led together, and each told of every configuration. */
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { ApiClient } from '../kubernetes/api-client.ts';
import type { Configured } from '../report/report.ts';
import type { LeaderRun, LeaderTask } from './leader-task.ts';

type Deps = { readonly api: ApiClient; readonly clock: Clock; readonly random: Random; readonly logger: Logger };

export class Leader {
  readonly #tasks: readonly LeaderTask[];
  readonly #deps: Deps;
  #configured: Configured | undefined;
  #runs: readonly LeaderRun[] = [];

  constructor(tasks: readonly LeaderTask[], deps: Deps) {
    this.#tasks = tasks;
    this.#deps = deps;
  }

  recvConfigured(configured: Configured): void {
    this.#configured = configured;
    for (const run of this.#runs) run.onConfiguration?.(configured);
  }

  /** Until what is returned is disposed. */
  lead(signal: AbortSignal): AsyncDisposable {
    const { logger, ...shared } = this.#deps;
    const runs = this.#tasks.map((task) => task.lead({ ...shared, signal, logger: logger.scope(task.name) }));
    this.#runs = runs;
    if (this.#configured !== undefined) for (const run of runs) run.onConfiguration?.(this.#configured);
    return {
      [Symbol.asyncDispose]: async () => {
        this.#runs = [];
        await Promise.all(runs.map((run) => run[Symbol.asyncDispose]()));
      },
    };
  }
}
