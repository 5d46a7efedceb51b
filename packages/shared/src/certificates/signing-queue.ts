/**
 * Bounds how many requests the authority gets at once, and decides who goes first: connections that wait, then pods that
 * start, then renewals; among equals the one that is due first, then the one that came first.
 */

export type SigningPriority = 'real-time' | 'warmup' | 'background';

/** Place of a job in the queue. */
export type SigningTicket = {
  /** Moves a waiting job up; never down. */
  bump(priority: SigningPriority): void;
  /** Takes a waiting job out; nothing happens to one that runs. */
  cancel(): void;
};

type Job = { priority: SigningPriority; readonly dueMs: number; readonly order: number; readonly run: () => Promise<void> };

const ranks: Readonly<Record<SigningPriority, number>> = { 'real-time': 0, warmup: 1, background: 2 };

export class SigningQueue {
  readonly #concurrency: number;
  readonly #waiting = new Set<Job>();
  #running = 0;
  #count = 0;

  /** @param options.concurrency jobs that run at once, 8 by default */
  constructor(options: { readonly concurrency?: number } = {}) {
    this.#concurrency = options.concurrency ?? 8;
  }

  /** @param run must not reject */
  add(priority: SigningPriority, dueMs: number, run: () => Promise<void>): SigningTicket {
    this.#count += 1;
    const job: Job = { priority, dueMs, order: this.#count, run };
    this.#waiting.add(job);
    // Not at once: whoever adds several in one turn gets them in the right order.
    queueMicrotask(() => this.#startNext());
    return {
      bump: (to) => {
        if (ranks[to] < ranks[job.priority]) job.priority = to;
      },
      cancel: () => void this.#waiting.delete(job),
    };
  }

  #startNext(): void {
    if (this.#running >= this.#concurrency) return;
    const [first, ...others] = this.#waiting;
    if (first === undefined) return;
    const next = others.reduce((best, job) => (goesBefore(job, best) ? job : best), first);
    this.#waiting.delete(next);
    this.#running += 1;
    void next.run().finally(() => {
      this.#running -= 1;
      this.#startNext();
    });
  }
}

function goesBefore(a: Job, b: Job): boolean {
  if (a.priority !== b.priority) return ranks[a.priority] < ranks[b.priority];
  return a.dueMs === b.dueMs ? a.order < b.order : a.dueMs < b.dueMs;
}
