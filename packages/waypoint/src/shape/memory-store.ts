/**
 * Idempotency records of a waypoint with one replica, in its memory; they die with the process.
 *
 * M1  No record is given up before its time, since the request would then be dispatched again: a full store refuses new
 *     keys and says so.
 * M2  What may be given up is the answer of a finished request, the least recently used first; its key stays taken.
 */
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { transition } from './idempotency-state.ts';
import type { IdempotencyEvent, IdempotencyRecord, IdempotencyVerdict } from './idempotency-state.ts';
import type { IdempotencyStore, StoreUnavailable } from './idempotency-store.ts';

export type MemoryStoreOptions = {
  /** Keys at one time, finished ones within their TTL included. @default 100 000 */
  readonly maxRecords?: number;
  /** Bytes of kept answers. @default 67 108 864 */
  readonly maxAnswerBytes?: number;
};

/** Finished records are swept in batches that expire within the same minute. */
const sweepMs = 60_000;

export class MemoryIdempotencyStore implements IdempotencyStore {
  readonly #maxRecords: number;
  readonly #maxAnswerBytes: number;
  readonly #clock: Clock;
  readonly #records = new Map<string, IdempotencyRecord>();
  /** Least recently used first: a Map keeps the order of insertion. */
  readonly #answers = new Map<string, number>();
  /** By minute since the epoch: what may have expired at its end. */
  readonly #expiring = new Map<number, string[]>();
  #answerBytes = 0;
  #sweptMinute = 0;

  constructor(options: MemoryStoreOptions, deps: { readonly clock: Clock }) {
    this.#maxRecords = options.maxRecords ?? 100_000;
    this.#maxAnswerBytes = options.maxAnswerBytes ?? 64 * 1024 * 1024;
    this.#clock = deps.clock;
  }

  /** Keys kept now. */
  get size(): number {
    return this.#records.size;
  }

  /** Bytes of answers kept now. */
  get answerBytes(): number {
    return this.#answerBytes;
  }

  // async: a store that throws must still be a store that answers.
  async apply(record: string, event: IdempotencyEvent): Promise<IdempotencyVerdict | StoreUnavailable> {
    const nowMs = this.#clock.now();
    this.#sweep(nowMs);
    const before = this.#records.get(record);
    const { verdict, next } = transition(before, event, nowMs);
    if (before === undefined && next !== undefined && this.#records.size >= this.#maxRecords)
      return { kind: 'unavailable', detail: `the memory store is full (${this.#maxRecords} keys); use a Redis store` };
    if (next !== before) this.#put(record, next);
    else if (verdict.kind === 'done') this.#touch(record);
    return verdict;
  }

  #put(id: string, next: IdempotencyRecord | undefined): void {
    this.#forgetAnswer(id);
    if (next === undefined) {
      this.#records.delete(id);
      return;
    }
    this.#records.set(id, next);
    if (next.state !== 'done') return;
    const minute = Math.floor(next.expiresAtMs / sweepMs);
    const expiring = this.#expiring.get(minute);
    if (expiring === undefined) this.#expiring.set(minute, [id]);
    else expiring.push(id);
    this.#answers.set(id, next.answer?.byteLength ?? 0);
    this.#answerBytes += next.answer?.byteLength ?? 0;
    this.#shrink();
  }

  /** M2. */
  #shrink(): void {
    for (const [id] of this.#answers) {
      if (this.#answerBytes <= this.#maxAnswerBytes) return;
      this.#forgetAnswer(id);
      const record = this.#records.get(id);
      if (record?.state !== 'done') continue;
      const { answer: _answer, ...rest } = record;
      this.#records.set(id, rest);
    }
  }

  #touch(id: string): void {
    const bytes = this.#answers.get(id);
    if (bytes === undefined) return;
    this.#answers.delete(id);
    this.#answers.set(id, bytes);
  }

  #forgetAnswer(id: string): void {
    this.#answerBytes -= this.#answers.get(id) ?? 0;
    this.#answers.delete(id);
  }

  #sweep(nowMs: number): void {
    const minute = Math.floor(nowMs / sweepMs);
    if (minute === this.#sweptMinute) return;
    this.#sweptMinute = minute;
    for (const [due, ids] of this.#expiring) {
      if (due >= minute) continue;
      this.#expiring.delete(due);
      for (const id of ids) {
        const record = this.#records.get(id);
        if (record?.state === 'done' && record.expiresAtMs <= nowMs) this.#put(id, undefined);
      }
    }
  }
}
