/**
 * How much of a backend may be used at once (l7-and-resilience B7, pools): semaphores of our own, apart from breaker and
 * outlier detection, so that being full is nobody's failure.
 */
import type { Limits } from '@clearmesh/shared/model/l7/resilience';
import type { Failure } from '../exchange/failure.ts';

/** Counts what is taken; the limit comes with each request, since a new configuration may change it. */
export class Slots {
  #taken = 0;

  get taken(): number {
    return this.#taken;
  }

  hasRoom(limit: number): boolean {
    return this.#taken < limit;
  }

  take(limit: number): boolean {
    if (this.#taken >= limit) return false;
    this.#taken += 1;
    return true;
  }

  release(): void {
    this.#taken -= 1;
  }
}

type Waiting = { resolve: ((taken: boolean) => void) | undefined };

/**
 * Slots that can be waited for, first come first served: HTTP/1.1 needs a connection for each request.
 */
export class QueuedSlots {
  readonly #queue = new Set<Waiting>();
  #taken = 0;

  get taken(): number {
    return this.#taken;
  }

  get waiting(): number {
    return this.#queue.size;
  }

  /** A slot at once, a promise of one, or `undefined` when too many wait. */
  take(limit: number, maxWaiting: number): SlotRequest | 'taken' | undefined {
    if (this.#taken < limit && this.#queue.size === 0) {
      this.#taken += 1;
      return 'taken';
    }
    if (this.#queue.size >= maxWaiting) return undefined;
    const waiting: Waiting = { resolve: undefined };
    const taken = new Promise<boolean>((resolve) => (waiting.resolve = resolve));
    this.#queue.add(waiting);
    return { taken, cancel: () => void (this.#queue.delete(waiting) && waiting.resolve?.(false)) };
  }

  release(): void {
    const [next] = this.#queue;
    if (next === undefined) {
      this.#taken -= 1;
      return;
    }
    // The slot changes hands.
    this.#queue.delete(next);
    next.resolve?.(true);
  }
}

export type SlotRequest = {
  /** False when it was cancelled. */
  readonly taken: Promise<boolean>;
  /** Without effect once the slot is taken. */
  readonly cancel: () => void;
};

/** Of one backend. */
export class BackendLimits {
  readonly requests: Slots = new Slots();
  readonly retries: Slots = new Slots();
  readonly upgraded: Slots = new Slots();
  readonly connections: QueuedSlots = new QueuedSlots();
}

export function overflow(what: keyof Limits, limit: number, backend: string): Failure {
  return {
    kind: 'overflow',
    detail: `backend ${backend} has as many as it may: ${what} is ${limit}`,
    headers: { 'x-envoy-overloaded': 'true' },
  };
}
