/**
 * The names that a client asked for on demand, and what is still to be said of them.
 *
 *   ask ──▶ pending ── resource or removal ──▶ answered ── give up ──▶ (forgotten)
 */
export type AskedNamesOptions = {
  /** Names that may be pending at a time; more are not asked for. @default 10 000 */
  readonly maxPending?: number | undefined;
  /** Names in all: a control plane takes a name beyond its own bound for one that nothing has. @default 90 000 */
  readonly maxNames?: number | undefined;
};

export type NamesToTell = { readonly subscribe: readonly string[]; readonly unsubscribe: readonly string[] };

export class AskedNames {
  readonly #maxPending: number;
  readonly #maxNames: number;
  readonly #names = new Map<string, 'pending' | 'answered'>();
  readonly #answered = new Set<string>();
  /** Not told of yet. */
  readonly #subscribe = new Set<string>();
  readonly #unsubscribe = new Set<string>();
  #pending = 0;

  constructor(options: AskedNamesOptions) {
    this.#maxPending = options.maxPending ?? 10_000;
    this.#maxNames = options.maxNames ?? 90_000;
  }

  stateOf(name: string): 'pending' | 'answered' | undefined {
    return this.#names.get(name);
  }

  /** True when it is asked for, now or already. @param isKnown whether the answer is there: the sender need not repeat it */
  ask(name: string, isKnown: boolean): boolean {
    if (this.#names.has(name)) return true;
    if (this.#names.size >= this.#maxNames || (!isKnown && this.#pending >= this.#maxPending)) return false;
    if (!isKnown) this.#pending++;
    this.#names.set(name, isKnown ? 'answered' : 'pending');
    this.#unsubscribe.delete(name);
    this.#subscribe.add(name);
    return true;
  }

  giveUp(name: string): void {
    const state = this.#names.get(name);
    if (state === undefined) return;
    this.#names.delete(name);
    if (state === 'pending') this.#pending--;
    this.#subscribe.delete(name);
    // Also where it was not told of yet: an earlier one of that name may have been.
    this.#unsubscribe.add(name);
  }

  /** The names that a new stream has to hear of; it knows of none. */
  connected(): readonly string[] {
    this.#subscribe.clear();
    this.#unsubscribe.clear();
    return [...this.#names.keys()];
  }

  recvAnswers(names: Iterable<string>): void {
    if (this.#pending === 0) return;
    for (const name of names) {
      if (this.#names.get(name) !== 'pending') continue;
      this.#names.set(name, 'answered');
      this.#answered.add(name);
      this.#pending--;
    }
  }

  /** What a stream has not been told; `undefined` when there is nothing. */
  takeChange(): NamesToTell | undefined {
    if (this.#subscribe.size + this.#unsubscribe.size === 0) return undefined;
    const change = { subscribe: [...this.#subscribe], unsubscribe: [...this.#unsubscribe] };
    this.#subscribe.clear();
    this.#unsubscribe.clear();
    return change;
  }

  takeAnswered(): readonly string[] {
    const answered = [...this.#answered];
    this.#answered.clear();
    return answered;
  }
}
