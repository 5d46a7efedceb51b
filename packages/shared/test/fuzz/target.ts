/** What is fuzzed: a decoder, inputs that it takes, and what must hold of any other. */
import type { Draw } from '@clearmesh/shared/testing/draw';

export type FuzzTarget = {
  readonly name: string;
  /** Inputs made by our own encoders. */
  readonly corpus: (draw: Draw) => readonly Uint8Array[];
  /**
   * Decodes one input, and throws when what must hold does not: {@link must}, or the decoder itself. What it gives is a name for
   * what came of the input; inputs with a new one are mutated further.
   */
  readonly run: (input: Uint8Array) => string;
  /** Changes that know the format, beside those of any bytes. */
  readonly mutate?: (input: Uint8Array, draw: Draw) => Uint8Array;
};

/** A property that does not hold. */
export function must(holds: boolean, what: () => string): void {
  if (!holds) throw new Error(what());
}
