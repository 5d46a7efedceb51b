/** What the pool and a worker tell each other. */
import type { MessagePort } from 'node:worker_threads';

export type WorkerStart = {
  readonly port: MessagePort;
  readonly wasm: Uint8Array;
  /** JSON text. */
  readonly data: string;
  /** Of the rule: the module's entrypoint. */
  readonly path: string;
  /** Of the module's memory, in pages of 64 KiB. */
  readonly maxPages: number;
};

export type WorkerQuestion = { readonly id: number; readonly input: string; readonly nowMs: number };

export type WorkerAnswer =
  | { readonly kind: 'ready'; readonly builtins: readonly string[] }
  /** The module cannot be run as it is. */
  | { readonly kind: 'rejected'; readonly reason: string }
  | { readonly kind: 'result'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failed'; readonly id: number; readonly reason: string };
