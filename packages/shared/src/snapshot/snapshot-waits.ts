/**
 * Waits of connections for the mesh to say something that another proxy knows already: each proxy hears of a
 * change by its own stream, some milliseconds before or after the others.
 *
 *   asked ─┬─ the snapshot says it, or there is no room to wait ─▶ at once
 *          └─ waits ── said by a later snapshot | time is up | aborted ──▶ over
 *
 * Who waits decides nothing: what comes of it is decided anew, by the snapshot as it is then.
 */
import type { Clock } from '../lifecycle/clock.ts';
import type { Snapshot, SnapshotSource } from './snapshot.ts';

export type SnapshotWaitsOptions = {
  /** Longest wait, milliseconds. @default 1 000 */
  readonly maxMs?: number;
  /** Waits at a time; beyond it nobody waits. @default 256 */
  readonly maxWaiting?: number;
};

export type SnapshotWaitsDeps = { readonly snapshots: SnapshotSource; readonly clock: Pick<Clock, 'after'> };

export class SnapshotWaits {
  readonly #maxMs: number;
  readonly #maxWaiting: number;
  readonly #deps: SnapshotWaitsDeps;
  #waiting = 0;

  constructor(options: SnapshotWaitsOptions, deps: SnapshotWaitsDeps) {
    this.#maxMs = options.maxMs ?? 1_000;
    this.#maxWaiting = options.maxWaiting ?? 256;
    this.#deps = deps;
  }

  /** Waits under way. */
  get waiting(): number {
    return this.#waiting;
  }

  /** What `find` finds in this snapshot or a later one; `undefined` when it does not in time, or the signal aborts. */
  async until<T>(find: (snapshot: Snapshot) => T | undefined, signal: AbortSignal): Promise<T | undefined> {
    const { snapshots, clock } = this.#deps;
    const known = find(snapshots.current);
    if (known !== undefined || signal.aborted || this.#waiting >= this.#maxWaiting) return known;
    const { promise, resolve } = Promise.withResolvers<T | undefined>();
    const end = (): void => resolve(undefined);
    const cancel = clock.after(this.#maxMs, end);
    const forget = snapshots.onChange((snapshot) => {
      const found = find(snapshot);
      if (found !== undefined) resolve(found);
    });
    signal.addEventListener('abort', end, { once: true });
    this.#waiting++;
    try {
      return await promise;
    } finally {
      this.#waiting--;
      cancel();
      forget();
      signal.removeEventListener('abort', end);
    }
  }
}
