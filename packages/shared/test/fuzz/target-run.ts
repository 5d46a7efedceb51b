/** One target with its corpus: what was run, what came of it, and the smallest input for what broke. */
import type { Draw } from '@clearmesh/shared/testing/draw';
import type { Finding, TargetCount } from './campaign.ts';
import { maxInput, mutate, randomBytes } from './mutate.ts';
import { shrink } from './shrink.ts';
import type { FuzzTarget } from './target.ts';

/** Told of each input before and after it is run. */
type Place = { begin(input: Uint8Array): void; end(): void };

export type TargetRunDeps = {
  readonly draw: Draw;
  readonly place: Place;
  /** Milliseconds that one input may take. */
  readonly slowMs: number;
};

/** Inputs with something new that are kept, and their length at most. */
const maxKept = 128;
const maxKeptBytes = 4096;

type Verdict =
  | { readonly kind: 'fine'; readonly outcome: string }
  | { readonly kind: 'broken' | 'slow'; readonly message: string };

export class TargetRun {
  readonly #target: FuzzTarget;
  readonly #deps: TargetRunDeps;
  readonly #corpus: readonly Uint8Array[];
  readonly #kept: Uint8Array[] = [];
  readonly #outcomes = new Set<string>();
  #executions = 0;
  #ms = 0;

  constructor(target: FuzzTarget, deps: TargetRunDeps) {
    this.#target = target;
    this.#deps = deps;
    this.#corpus = target.corpus(deps.draw).map((input) => input.subarray(0, maxInput));
  }

  get count(): TargetCount {
    return { name: this.#target.name, executions: this.#executions, seconds: this.#ms / 1000, outcomes: this.#outcomes.size };
  }

  /** Runs for so long, or until something is found. The inputs are the same for the same seed, however long slices are. */
  slice(ms: number): Finding | undefined {
    const fromMs = performance.now();
    try {
      while (performance.now() - fromMs < ms) {
        const input = this.#next();
        const finding = this.judge(input);
        if (finding !== undefined) return finding;
      }
      return undefined;
    } finally {
      this.#ms += performance.now() - fromMs;
    }
  }

  /** Runs one input; what it breaks comes with the smallest that breaks it too. */
  judge(input: Uint8Array): Finding | undefined {
    const verdict = this.#try(input);
    if (verdict.kind === 'fine') {
      this.#learn(input, verdict.outcome);
      return undefined;
    }
    const smallest = shrink(input, (candidate) => this.#try(candidate).kind === verdict.kind);
    const again = this.#try(smallest);
    const message = again.kind === 'fine' ? verdict.message : again.message;
    return { target: this.#target.name, kind: verdict.kind, message, input: smallest, firstLength: input.length };
  }

  #next(): Uint8Array {
    const { draw } = this.#deps;
    if (this.#executions < this.#corpus.length) return this.#corpus[this.#executions] ?? new Uint8Array();
    if (draw.chance(0.05)) return randomBytes(draw, draw.pick([0, 1, 8, 40, 200, 2000]));
    const input = this.#pick();
    const knows = this.#target.mutate;
    if (knows === undefined || draw.chance(0.4)) return mutate(input, this.#pick(), draw);
    const changed = knows(input, draw).subarray(0, maxInput);
    return draw.chance(0.2) ? mutate(changed, this.#pick(), draw) : changed;
  }

  #pick(): Uint8Array {
    const { draw } = this.#deps;
    const from = this.#kept.length > 0 && draw.chance(0.5) ? this.#kept : this.#corpus;
    return from[draw.int(0, from.length - 1)] ?? new Uint8Array();
  }

  #learn(input: Uint8Array, outcome: string): void {
    if (this.#outcomes.size >= 10_000 || this.#outcomes.has(outcome)) return;
    this.#outcomes.add(outcome);
    if (this.#kept.length < maxKept && input.length <= maxKeptBytes) this.#kept.push(Uint8Array.from(input));
  }

  /** Another program may have had the processor: slow is what is so three times. */
  #try(input: Uint8Array): Verdict {
    let fastestMs = Infinity;
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const { verdict, ms } = this.#once(input);
      if (verdict.kind !== 'fine') return verdict;
      fastestMs = Math.min(fastestMs, ms);
      if (fastestMs <= this.#deps.slowMs) return verdict;
    }
    return { kind: 'slow', message: `${Math.round(fastestMs)} ms at best, of ${this.#deps.slowMs} allowed` };
  }

  #once(input: Uint8Array): { readonly verdict: Verdict; readonly ms: number } {
    this.#executions += 1;
    this.#deps.place.begin(input);
    const fromMs = performance.now();
    let verdict: Verdict;
    try {
      verdict = { kind: 'fine', outcome: this.#target.run(input).replaceAll(/\d+/g, '0').slice(0, 100) };
    } catch (thrown) {
      verdict = { kind: 'broken', message: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown) };
    }
    const ms = performance.now() - fromMs;
    this.#deps.place.end();
    return { verdict, ms };
  }
}
