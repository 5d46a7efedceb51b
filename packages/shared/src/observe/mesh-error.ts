/**
 * One error class for the whole mesh. A message says what failed, which value, and what to do next;
 * the code finds the page in docs/errors. Codes are never reused: a retired one stays in the table.
 */
import { errorCodes } from './error-codes.ts';
import type { MeshErrorCode } from './error-codes.ts';

/** Who has to act. */
export type ErrorSource = 'downstream' | 'upstream' | 'configuration' | 'internal';

export type MeshErrorInit = {
  /** What failed and which value. */
  readonly message: string;
  /** What to do next; @default the code's general remedy */
  readonly hint?: string;
  readonly cause?: unknown;
};

export class MeshError extends Error {
  override readonly name = 'MeshError';
  readonly code: MeshErrorCode;
  readonly source: ErrorSource;
  /** True when the same operation may succeed later without a change by anyone. */
  readonly retry: boolean;
  readonly hint: string;

  constructor(code: MeshErrorCode, init: MeshErrorInit) {
    super(`${init.message} [${code}]`, init.cause === undefined ? undefined : { cause: init.cause });
    const entry = errorCodes[code];
    this.code = code;
    this.source = entry.source;
    this.retry = entry.retry;
    this.hint = init.hint ?? entry.remedy;
  }

  /** The message with its remedy, for people. */
  explain(): string {
    return `${this.message}\n  → ${this.hint}`;
  }

  /** Wraps anything thrown; a MeshError stays itself. */
  static from(thrown: unknown, code: MeshErrorCode): MeshError {
    if (thrown instanceof MeshError) return thrown;
    return new MeshError(code, { message: thrown instanceof Error ? thrown.message : String(thrown), cause: thrown });
  }
}
