/** FaultExperiment: a drill with guard rails (l7-and-resilience B10, C6). */
import type { HttpMatch } from './route.ts';

export type FaultExperiment = {
  readonly key: string;
  readonly startsAtMs: number;
  /** It ends by itself; at most 60 minutes after the start. */
  readonly endsAtMs: number;
  readonly owner: string;
  readonly approver: string;
  /** ORed; empty: every request. */
  readonly matches: readonly HttpMatch[];
  /** SPIFFE ids of callers concerned; empty: every caller. */
  readonly callers: readonly string[];
  /** Share of the matching requests, at most. */
  readonly percent: number;
  /** Requests under a fault at one time. @default 10 */
  readonly maxActive: number;
  readonly delayMs?: number;
  readonly abort?: { readonly status: number; readonly grpcStatus?: number };
  readonly throttleKibPerSecond?: number;
  /** The connection to the caller is reset. */
  readonly reset: boolean;
};
