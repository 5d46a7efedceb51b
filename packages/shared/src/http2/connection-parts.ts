/** What a connection is told, and whom it tells. */
import type { Slabs } from './outbox.ts';
import type { Http2Stream } from './stream.ts';
import type { UnreadBudget } from './unread-budget.ts';

export type ConnectionOptions = {
  readonly role: 'client' | 'server';
  /** Bytes. */
  readonly streamWindow: number;
  /** Bytes. */
  readonly connectionWindow: number;
  /** Bytes of a frame. */
  readonly maxFrame: number;
  /** Bytes of a header list, each field with 32 more. */
  readonly maxHeaderList: number;
  /** Streams the peer may have open; a server's only. */
  readonly maxConcurrentStreams: number;
  /** Names of fields that are new in each message. @default none */
  readonly uniqueFields?: ReadonlySet<string>;
};

/** Takes one; false when there is none left. */
export type Allowance = { take(): boolean };

export type Violation = { readonly kind: 'violation' | 'flood'; readonly detail: string };

/** None of these may throw. */
export interface ConnectionEvents {
  /** Server only: give the stream its owner in this very call. */
  recvRequest(stream: Http2Stream, fields: readonly string[]): void;
  recvSettings(): void;
  recvPong(): void;
  recvGoaway(code: number): void;
  /** The peer broke a rule; the connection is over, and GOAWAY in the outbox. */
  recvViolation(violation: Violation): void;
  /** The outbox was empty and is not any more. */
  recvPending(): void;
}

export type ConnectionDeps = {
  readonly events: ConnectionEvents;
  readonly slabs: Slabs;
  readonly unread: UnreadBudget;
  /** How often a peer may send what costs us and brings nothing. */
  readonly allowances: {
    /** PING and SETTINGS. */
    readonly control: Allowance;
    /** Streams that are reset, by the peer or by reason of it. */
    readonly resets: Allowance;
    /** Frames that change nothing. */
    readonly useless: Allowance;
  };
};
