/** The seam between a question and whoever evaluates Rego: a WASM module in this process, or an OPA server. */

export type Evaluation =
  /** `value` is undefined where the rule has none. */
  | { readonly kind: 'result'; readonly value: unknown; readonly revision: string }
  /** No decision: why, for the log. */
  | { readonly kind: 'unavailable'; readonly reason: string };

export interface OpaEngine extends AsyncDisposable {
  /** Of the policy that would be asked now; "" while there is none, or it is not known. */
  readonly revision: string;
  /** Settles when there is a policy to ask, or the first one was rejected. */
  readonly started: Promise<void>;
  /** Whether a decision may be kept: false for rules that read the clock or roll dice. */
  readonly cacheable: boolean;
  /** Never rejects. `input` is JSON text; aborting ends the wait, not always the work. */
  evaluate(input: string, signal: AbortSignal): Promise<Evaluation>;
  /** Runs the listener when another policy begins to answer; gives back how to stop. */
  onActivation(listener: () => void): () => void;
}
