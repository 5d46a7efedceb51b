/**
 * Waits for replicas in groups: WAIT holds up its connection, so one serves all writes that were answered before it was sent.
 * One by one, a connection would carry a request per round trip to the replica.
 */
export class RedisReplication {
  readonly #wait: (replicas: number, waitMs: number) => Promise<number>;
  /** By number of replicas: the group that is not sent yet. Bounded by the numbers policies ask for. */
  readonly #gathering = new Map<string, Promise<number>>();
  /** Settles with the WAIT under way; never rejects. */
  #underWay: Promise<unknown> = Promise.resolve();

  constructor(deps: { readonly wait: (replicas: number, waitMs: number) => Promise<number> }) {
    this.#wait = deps.wait;
  }

  /** How many replicas have what was written before this call. */
  reached(replicas: number, waitMs: number): Promise<number> {
    const key = `${replicas}/${waitMs}`;
    const gathering = this.#gathering.get(key);
    if (gathering !== undefined) return gathering;
    const group = this.#underWay.then(() => {
      this.#gathering.delete(key);
      return this.#wait(replicas, waitMs);
    });
    this.#underWay = group.catch(() => {});
    this.#gathering.set(key, group);
    return group;
  }
}
