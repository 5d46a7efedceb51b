/** What went wrong last for one pod, for whoever asks how it fares: the log has it too, but nobody knows of which node. */
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Direction } from './access-log.ts';

export type FailureFacts = { readonly direction: Direction; readonly error: string };

/** Hears of every connection of a pod that did not end well. */
export interface FailureSink {
  recvFailure(failure: FailureFacts): void;
}

export class LastFailure implements FailureSink {
  readonly #clock: Clock;
  #last: (FailureFacts & { readonly atMs: number }) | undefined;
  #count = 0;

  constructor(deps: { readonly clock: Clock }) {
    this.#clock = deps.clock;
  }

  /** With its time, milliseconds since the epoch; `undefined` while all went well. */
  get current(): (FailureFacts & { readonly atMs: number }) | undefined {
    return this.#last;
  }

  /** How many there were. */
  get count(): number {
    return this.#count;
  }

  recvFailure({ direction, error }: FailureFacts): void {
    this.#count++;
    this.#last = { direction, error, atMs: this.#clock.now() };
  }
}
