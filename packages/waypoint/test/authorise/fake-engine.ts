/** An engine that answers what a test says, and remembers what it was asked. */
import type { Evaluation, OpaEngine } from '../../src/authorise/opa-engine.ts';

export class FakeEngine implements OpaEngine {
  readonly asked: Readonly<Record<string, unknown>>[] = [];
  readonly started: Promise<void> = Promise.resolve();
  cacheable = true;
  revision = '1';
  answer: (input: Readonly<Record<string, unknown>>) => unknown;
  readonly #listeners = new Set<() => void>();

  /** @param answer the decision, or an Error where there is none */
  constructor(answer: unknown) {
    this.answer = () => answer;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  evaluate(input: string): Promise<Evaluation> {
    const document = JSON.parse(input) as Readonly<Record<string, unknown>>;
    this.asked.push(document);
    const value = this.answer(document);
    if (value instanceof Error) return Promise.resolve({ kind: 'unavailable', reason: value.message });
    return Promise.resolve({ kind: 'result', value, revision: this.revision });
  }

  onActivation(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  activate(revision: string): void {
    this.revision = revision;
    for (const listener of this.#listeners) listener();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}
