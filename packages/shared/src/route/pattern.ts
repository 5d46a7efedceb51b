/**
 * Regular expressions of routes and policies, matched against the whole text in time linear in its length.
 *
 * Whoever calls chooses the text, whoever owns a route the pattern: with a backtracking engine the two together could
 * hold the event loop for minutes. Here each character is one look into a table, which is filled as texts need it
 * (a lazily built deterministic automaton, as in RE2).
 */
import { programOf } from './pattern-program.ts';
import type { PatternProgram, Step } from './pattern-program.ts';
import { parsePattern } from './pattern-syntax.ts';
import type { CharRange } from './pattern-syntax.ts';

export type Pattern = {
  readonly source: string;
  /** Whether the whole text matches; never for one of more than 8 192 characters. */
  test(text: string): boolean;
};

export type PatternCompilation =
  | { readonly kind: 'compiled'; readonly pattern: Pattern }
  | { readonly kind: 'refused'; readonly reason: string };

/** The control plane's bound as well. */
const maxSourceLength = 1024;
const maxTextLength = 8192;
const maxSteps = 2048;
/** Of one pattern; when there are more, all are forgotten and made again as they are needed. */
const maxStates = 256;

/** Never throws: `reason` says what of the pattern is not understood. */
export function compilePattern(source: string): PatternCompilation {
  if (source.length > maxSourceLength) return { kind: 'refused', reason: `is longer than ${maxSourceLength} characters` };
  const reading = parsePattern(source);
  if (reading.kind === 'refused') return reading;
  const program = programOf(reading.node, maxSteps);
  if (program === undefined) return { kind: 'refused', reason: 'repeats too much; write smaller counts' };
  return { kind: 'compiled', pattern: new Automaton(source, program) };
}

/** Where a text may be in the pattern after some characters. */
type State = {
  /** Ascending. */
  readonly steps: readonly number[];
  readonly accepts: boolean;
  /** Nothing that follows can match any more. */
  readonly dead: boolean;
  /** By class of the next character; filled on demand. */
  readonly next: (State | undefined)[];
};

class Automaton implements Pattern {
  readonly source: string;
  readonly #steps: readonly Step[];
  readonly #start: number;
  readonly #classes: CharClasses;
  /** By step, then by class of character. */
  readonly #members: readonly (Uint8Array | undefined)[];
  readonly #states = new Map<string, State>();
  /** Round in which a step was last reached: cheaper than a set for each state. */
  readonly #reached: Uint32Array;
  #round = 0;
  #initial: State;

  constructor(source: string, { steps, start }: PatternProgram) {
    this.source = source;
    this.#steps = steps;
    this.#start = start;
    this.#classes = new CharClasses(steps);
    this.#members = this.#classes.membersOf(steps);
    this.#reached = new Uint32Array(steps.length);
    this.#initial = this.#stateOf([this.#start], true);
  }

  test(text: string): boolean {
    if (text.length > maxTextLength) return false;
    const { latin1 } = this.#classes;
    let state = this.#initial;
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      const found = code < 256 ? (latin1[code] ?? 0) : this.#classes.of(code);
      state = state.next[found] ?? this.#advance(state, found);
      if (state.dead) return false;
    }
    return state.accepts;
  }

  #advance(state: State, found: number): State {
    const targets: number[] = [];
    for (const index of state.steps) {
      const step = this.#steps[index];
      if (step?.kind === 'chars' && this.#members[index]?.[found] === 1) targets.push(step.next);
    }
    if (this.#states.size >= maxStates) {
      this.#states.clear();
      this.#initial = this.#stateOf([this.#start], true);
    }
    const next = this.#stateOf(targets, false);
    state.next[found] = next;
    return next;
  }

  #stateOf(targets: readonly number[], atBegin: boolean): State {
    const steps = this.#closure(targets, atBegin, false).sort((a, b) => a - b);
    const key = `${atBegin ? '^' : ''}${steps.join(',')}`;
    const known = this.#states.get(key);
    if (known !== undefined) return known;
    // Step 0 accepts.
    const accepts = this.#closure(targets, atBegin, true).includes(0);
    const state: State = {
      steps,
      accepts,
      dead: steps.length === 0,
      next: Array.from<undefined>({ length: this.#classes.count }),
    };
    this.#states.set(key, state);
    return state;
  }

  /** Every step that is reached without another character. */
  #closure(from: readonly number[], atBegin: boolean, atEnd: boolean): number[] {
    this.#round += 1;
    const pending = [...from];
    const found: number[] = [];
    for (let index = pending.pop(); index !== undefined; index = pending.pop()) {
      const step = this.#steps[index];
      if (step === undefined || this.#reached[index] === this.#round) continue;
      this.#reached[index] = this.#round;
      if (step.kind === 'split') pending.push(step.next, step.other);
      else if (step.kind === 'begin' && !atBegin) continue;
      else if (step.kind === 'begin' || (step.kind === 'end' && atEnd)) pending.push(step.next);
      else found.push(index);
    }
    return found;
  }
}

/** Characters that no step of a pattern tells apart are one class. */
class CharClasses {
  readonly count: number;
  /** First code unit of each class. */
  readonly #firsts: readonly number[];
  /** Class by code unit below 256. */
  readonly latin1: Uint16Array = new Uint16Array(256);

  constructor(steps: readonly Step[]) {
    const firsts = new Set([0]);
    for (const step of steps) if (step.kind === 'chars') for (const [from, to] of step.ranges) firsts.add(from).add(to + 1);
    this.#firsts = [...firsts].sort((a, b) => a - b);
    this.count = this.#firsts.length;
    for (let code = 0; code < 256; code++) this.latin1[code] = this.of(code);
  }

  /** Which classes each step takes; repeated steps share one list. */
  membersOf(steps: readonly Step[]): readonly (Uint8Array | undefined)[] {
    const known = new Map<readonly CharRange[], Uint8Array>();
    return steps.map((step) => {
      if (step.kind !== 'chars') return undefined;
      const members = known.get(step.ranges) ?? this.#within(step.ranges);
      known.set(step.ranges, members);
      return members;
    });
  }

  #within(ranges: readonly CharRange[]): Uint8Array {
    const members = new Uint8Array(this.count);
    for (const [index, first] of this.#firsts.entries())
      if (ranges.some(([from, to]) => first >= from && first <= to)) members[index] = 1;
    return members;
  }

  of(code: number): number {
    let low = 0;
    let high = this.#firsts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#firsts[middle] ?? 0) <= code) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
