/** The tree of a pattern as a list of steps (Thompson's construction): each names the steps that may follow it. */
import { unreachable } from '../lifecycle/unreachable.ts';
import type { CharRange, PatternNode } from './pattern-syntax.ts';

export type Step =
  | { readonly kind: 'chars'; readonly ranges: readonly CharRange[]; readonly next: number }
  | { readonly kind: 'split'; readonly next: number; readonly other: number }
  | { readonly kind: 'begin' | 'end'; readonly next: number }
  | { readonly kind: 'accept' };

export type PatternProgram = { readonly steps: readonly Step[]; readonly start: number };

/** `undefined`: more than `maxSteps`, which is what counts such as `{1000}` of long groups come to. */
export function programOf(node: PatternNode, maxSteps: number): PatternProgram | undefined {
  const builder = new ProgramBuilder(maxSteps);
  const start = builder.build(node, builder.accept);
  return start === undefined ? undefined : { steps: builder.steps, start };
}

/** Builds from the end: a step is made when those that follow it are known. */
class ProgramBuilder {
  readonly accept = 0;
  readonly steps: Step[] = [{ kind: 'accept' }];
  readonly #maxSteps: number;

  constructor(maxSteps: number) {
    this.#maxSteps = maxSteps;
  }

  /** The step at which `node` begins if `next` follows it; `undefined` once there are too many. */
  build(node: PatternNode, next: number | undefined): number | undefined {
    if (next === undefined) return undefined;
    switch (node.kind) {
      case 'empty':
        return next;
      case 'chars':
        return this.#add({ kind: 'chars', ranges: node.ranges, next });
      case 'begin':
      case 'end':
        return this.#add({ kind: node.kind, next });
      case 'sequence':
        return node.items.reduceRight<number | undefined>((following, item) => this.build(item, following), next);
      case 'choice':
        return node.options.map((option) => this.build(option, next)).reduceRight((other, option) => this.#split(option, other));
      case 'repeat':
        return this.#repeat(node, next);
      default:
        return unreachable(node);
    }
  }

  #repeat({ item, min, max }: Extract<PatternNode, { kind: 'repeat' }>, next: number): number | undefined {
    let entry: number | undefined = next;
    if (max === Infinity) entry = this.#loop(item, next);
    // (x(x(x)?)?)?: whoever takes one less leaves at once.
    else for (let count = min; count < max && entry !== undefined; count++) entry = this.#split(this.build(item, entry), next);
    for (let count = 0; count < min && entry !== undefined; count++) entry = this.build(item, entry);
    return entry;
  }

  #loop(item: PatternNode, next: number): number | undefined {
    const loop = this.#add({ kind: 'split', next, other: next });
    const again = this.build(item, loop);
    if (loop === undefined || again === undefined) return undefined;
    this.steps[loop] = { kind: 'split', next: again, other: next };
    return loop;
  }

  #split(next: number | undefined, other: number | undefined): number | undefined {
    return next === undefined || other === undefined ? undefined : this.#add({ kind: 'split', next, other });
  }

  #add(step: Step): number | undefined {
    return this.steps.length >= this.#maxSteps ? undefined : this.steps.push(step) - 1;
  }
}
