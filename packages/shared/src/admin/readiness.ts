/** What must be done before the proxy says it is ready (l4-contract sections 11.3, 13). */

export class Readiness {
  readonly #pending = new Set<{ readonly name: string }>();

  /** Ready means: nothing is pending. */
  get ready(): boolean {
    return this.#pending.size === 0;
  }

  /** Names of what is pending, each once, sorted. */
  get pending(): readonly string[] {
    return [...new Set([...this.#pending].map(({ name }) => name))].sort();
  }

  /** Makes the proxy not ready until the result is called; tasks may be added again later. */
  task(name: string): () => void {
    const task = { name };
    this.#pending.add(task);
    return () => void this.#pending.delete(task);
  }
}
