/** A step of the walk: what it shows, why it matters, and how it is checked. */

import type { PaymentTrace } from './payment-trace.ts';

/** What a check found; every fact is one measured sentence. */
export type Finding = {
  readonly ok: boolean;
  readonly facts: readonly string[];
  /** Drawn below the facts. */
  readonly trace?: PaymentTrace;
};

/** `World` is what the steps act on and look at. */
export type Step<World> = {
  readonly name: string;
  /** One sentence for the reader: why the step matters to a bank. */
  readonly why: string;
  readonly check: (world: World, signal: AbortSignal) => Promise<Finding>;
};
