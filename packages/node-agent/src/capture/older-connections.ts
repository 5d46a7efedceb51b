/**
 * Connections that a pod had before it was captured: they live on in plaintext, unseen by policy, until they end. Which they are is
 * read once, at the capture; later only whether they are still there.
 */

/** Connections of one pod that are followed; more are not counted. */
const maxFollowed = 10_000;

export class OlderConnections {
  #open: ReadonlySet<string>;
  #countedAtMs: number;

  /** `open` as {@link podConnections} names them. */
  constructor(open: readonly string[], nowMs: number) {
    this.#open = new Set(open.slice(0, maxFollowed));
    this.#countedAtMs = nowMs;
  }

  /** How many were open when they were counted last. */
  get count(): number {
    return this.#open.size;
  }

  /** By the monotonic clock. */
  get countedAtMs(): number {
    return this.#countedAtMs;
  }

  /** These too, of what had to wait for its capture longer than others. */
  add(open: readonly string[]): void {
    this.#open = new Set([...this.#open, ...open].slice(0, maxFollowed));
  }

  /** Counts anew, by all that the pod has open. */
  recvOpen(open: readonly string[], nowMs: number): void {
    this.#open = this.#open.intersection(new Set(open));
    this.#countedAtMs = nowMs;
  }
}
