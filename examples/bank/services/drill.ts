/** A fault on order, so that what happens then can be shown: the next requests fail, are slow, or kill the process. */

const modes = ['none', 'die-after-body', 'fail', 'slow'] as const;
export type Mode = (typeof modes)[number];

const most = 1_000_000;

export class Drill {
  #mode: Mode = 'none';
  #left = 0;

  get state(): { readonly mode: Mode; readonly left: number } {
    return { mode: this.#mode, left: this.#left };
  }

  /** For the next `count` requests, one by default; false when the order makes no sense. */
  order(mode: unknown, count: unknown = 1): boolean {
    const known = modes.find((each) => each === mode);
    if (known === undefined || typeof count !== 'number' || !(count >= 0 && count <= most)) return false;
    this.#mode = known;
    this.#left = known === 'none' ? 0 : count;
    return true;
  }

  /** What is to become of one request. */
  next(): Mode {
    if (this.#left === 0) return 'none';
    this.#left--;
    return this.#mode;
  }
}
