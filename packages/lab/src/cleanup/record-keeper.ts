import { updateRecord } from './run-record.ts';
import type { RunRecord } from './run-record.ts';

/** Keeps a running lab's record true; one write at a time, in order. */
export class RecordKeeper {
  #record: RunRecord;
  #state: 'open' | 'closed' = 'open';
  #last: Promise<void> = Promise.resolve();

  constructor(record: RunRecord) {
    this.#record = record;
  }

  get record(): RunRecord {
    return this.#record;
  }

  /** Resolves when the change is on disk; after {@link close} nothing is written. */
  update(change: Partial<Pick<RunRecord, 'namespaces' | 'processes'>>): Promise<void> {
    this.#record = { ...this.#record, ...change };
    const write = async (): Promise<void> => {
      if (this.#state === 'open') await updateRecord(this.#record);
    };
    const written = this.#last.then(write);
    this.#last = written.catch(() => {});
    return written;
  }

  /** No write happens after this resolved, so that a removed record stays removed. */
  async close(): Promise<void> {
    this.#state = 'closed';
    await this.#last;
  }
}
