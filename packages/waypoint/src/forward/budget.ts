/**
 * How many retries a backend takes (Gateway API, retry constraint): a share of its requests within an interval, and a few
 * each second in any case. One budget serves all routes to the backend, so that retries cannot multiply.
 */

export type BudgetPolicy = { readonly percent: number; readonly intervalMs: number; readonly minPerSecond: number };

/** The interval moves on in tenths. */
const slots = 10;

export class RetryBudget {
  readonly #requests = new Uint32Array(slots);
  readonly #retries = new Uint32Array(slots);
  #requestSum = 0;
  #retrySum = 0;
  #slotMs = 1_000;
  /** Number of the newest slot, counted from time 0. */
  #slot = 0;
  #second = 0;
  #inSecond = 0;

  /** Counts a first attempt. @param nowMs monotonic milliseconds */
  recvRequest(policy: BudgetPolicy, nowMs: number): void {
    this.#advance(policy, nowMs);
    const index = this.#slot % slots;
    this.#requests[index] = (this.#requests[index] ?? 0) + 1;
    this.#requestSum += 1;
  }

  /** Whether another retry fits in now. */
  allows(policy: BudgetPolicy, nowMs: number): boolean {
    this.#advance(policy, nowMs);
    if ((this.#retrySum + 1) * 100 <= policy.percent * this.#requestSum) return true;
    return (this.#second === Math.floor(nowMs / 1_000) ? this.#inSecond : 0) < policy.minPerSecond;
  }

  /** Counts a retry. */
  spend(policy: BudgetPolicy, nowMs: number): void {
    this.#advance(policy, nowMs);
    const index = this.#slot % slots;
    this.#retries[index] = (this.#retries[index] ?? 0) + 1;
    this.#retrySum += 1;
    const second = Math.floor(nowMs / 1_000);
    this.#inSecond = second === this.#second ? this.#inSecond + 1 : 1;
    this.#second = second;
  }

  #advance(policy: BudgetPolicy, nowMs: number): void {
    const slotMs = policy.intervalMs / slots;
    const slot = Math.floor(nowMs / slotMs);
    if (slot === this.#slot && slotMs === this.#slotMs) return;
    // Counts of another interval cannot be sorted into slots of this one.
    const passed = slotMs === this.#slotMs ? Math.min(slots, slot - this.#slot) : slots;
    for (let back = 0; back < passed; back++) this.#clear((((slot - back) % slots) + slots) % slots);
    this.#slot = slot;
    this.#slotMs = slotMs;
  }

  #clear(index: number): void {
    this.#requestSum -= this.#requests[index] ?? 0;
    this.#retrySum -= this.#retries[index] ?? 0;
    this.#requests[index] = 0;
    this.#retries[index] = 0;
  }
}
