/** In the place of an engine for a policy that nobody can read: no decision can be had, and nothing passes. */
import type { Evaluation, OpaEngine } from './opa-engine.ts';

export class NoOpaEngine implements OpaEngine {
  readonly revision: string = '';
  readonly started: Promise<void> = Promise.resolve();
  readonly cacheable: boolean = false;
  readonly #reason: string;

  constructor(reason: string) {
    this.#reason = reason;
  }

  evaluate(): Promise<Evaluation> {
    return Promise.resolve({ kind: 'unavailable', reason: this.#reason });
  }

  onActivation(): () => void {
    return () => {};
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}
