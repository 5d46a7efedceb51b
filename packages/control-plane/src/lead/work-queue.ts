/**
 * Work on keys: each key at most once at a time, a few at a time, so many a second, and again after a failure.
 *
 *   (none) ── add ──▶ waiting ── its turn ──▶ working ── done ──▶ (none)
 *                        ▲                     │  │
 *                        ├── added meanwhile ──┘  └── failed ──▶ resting ── its time, or add ──▶ waiting
 *                        └──────────────────────────────────────────┘
 *
 * Q1  What is kept is one entry a key, however often it is added.
 * Q2  An addition is never lost: work that was under way when it came is done again.
 */
import { Backoff } from '@clearmesh/shared/lifecycle/backoff';
import type { Cancel, Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';

export type WorkQueueOptions = {
  /** Keys worked on at a time. @default 4 */
  readonly concurrency?: number;
  /** Works begun a second, on average. @default 20 */
  readonly perSecond?: number;
  /** Works begun at once after a rest. @default 20 */
  readonly burst?: number;
};

export type WorkResult =
  | { readonly kind: 'done' }
  /** @param afterMs at least; the back-off of the key may be longer */
  | { readonly kind: 'retry'; readonly afterMs?: number };

type Deps = {
  readonly clock: Clock;
  readonly random: Random;
  /** Ends everything. */
  readonly signal: AbortSignal;
  /** Rejects only when `signal` aborts. */
  readonly work: (key: string, signal: AbortSignal) => Promise<WorkResult>;
};

type Entry =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'working'; again: boolean }
  | { readonly kind: 'resting'; readonly cancel: Cancel };

export class WorkQueue implements AsyncDisposable {
  readonly #options: Required<WorkQueueOptions>;
  readonly #deps: Deps;
  readonly #closing = new AbortController();
  readonly #signal: AbortSignal;
  readonly #entries = new Map<string, Entry>();
  readonly #backoffs = new Map<string, Backoff>();
  /** In the order of their turn. */
  readonly #waiting = new Set<string>();
  readonly #underWay = new Set<Promise<void>>();
  #tokens: number;
  #countedMs: number;
  #cancelTurn: Cancel | undefined;

  constructor(options: WorkQueueOptions, deps: Deps) {
    this.#options = { concurrency: 4, perSecond: 20, burst: 20, ...options };
    this.#deps = deps;
    this.#signal = AbortSignal.any([deps.signal, this.#closing.signal]);
    this.#tokens = this.#options.burst;
    this.#countedMs = deps.clock.monotonicMs();
  }

  /** Keys that have work left. */
  get size(): number {
    return this.#entries.size;
  }

  add(key: string): void {
    if (this.#signal.aborted) return;
    const entry = this.#entries.get(key);
    if (entry?.kind === 'working') entry.again = true;
    if (entry?.kind === 'working' || entry?.kind === 'waiting') return;
    if (entry?.kind === 'resting') entry.cancel();
    this.#wait(key);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    this.#cancelTurn?.();
    for (const entry of this.#entries.values()) if (entry.kind === 'resting') entry.cancel();
    await Promise.all(this.#underWay);
    this.#entries.clear();
    this.#waiting.clear();
  }

  #wait(key: string): void {
    this.#entries.set(key, { kind: 'waiting' });
    this.#waiting.add(key);
    this.#turn();
  }

  #turn(): void {
    this.#refill();
    while (!this.#signal.aborted && this.#underWay.size < this.#options.concurrency && this.#tokens >= 1) {
      const [key] = this.#waiting;
      if (key === undefined) return;
      this.#tokens -= 1;
      this.#waiting.delete(key);
      this.#begin(key);
    }
    if (this.#waiting.size > 0 && this.#tokens < 1) this.#turnLater();
  }

  #turnLater(): void {
    if (this.#cancelTurn !== undefined || this.#signal.aborted) return;
    const waitMs = (1000 * (1 - this.#tokens)) / this.#options.perSecond;
    this.#cancelTurn = this.#deps.clock.after(Math.ceil(waitMs), () => {
      this.#cancelTurn = undefined;
      this.#turn();
    });
  }

  #refill(): void {
    const now = this.#deps.clock.monotonicMs();
    const gained = ((now - this.#countedMs) * this.#options.perSecond) / 1000;
    this.#tokens = Math.min(this.#options.burst, this.#tokens + gained);
    this.#countedMs = now;
  }

  #begin(key: string): void {
    this.#entries.set(key, { kind: 'working', again: false });
    const working = this.#work(key).finally(() => {
      this.#underWay.delete(working);
      this.#turn();
    });
    this.#underWay.add(working);
  }

  async #work(key: string): Promise<void> {
    try {
      this.#recvResult(key, await this.#deps.work(key, this.#signal));
    } catch (error) {
      this.#entries.delete(key);
      if (!this.#signal.aborted) throw error;
    }
  }

  #recvResult(key: string, result: WorkResult): void {
    if (this.#signal.aborted) return;
    const entry = this.#entries.get(key);
    const again = entry?.kind === 'working' && entry.again;
    this.#entries.delete(key);
    if (result.kind === 'retry') return this.#rest(key, result.afterMs ?? 0);
    this.#backoffs.delete(key);
    if (again) this.#wait(key);
  }

  #rest(key: string, afterMs: number): void {
    const { clock, random } = this.#deps;
    const backoff = this.#backoffs.get(key) ?? new Backoff({ initialMs: 500, maxMs: 60_000, jitter: 0.3 }, { random });
    this.#backoffs.set(key, backoff);
    const cancel = clock.after(Math.max(afterMs, backoff.next()), () => this.#wait(key));
    this.#entries.set(key, { kind: 'resting', cancel });
  }
}
