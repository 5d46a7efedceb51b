/** Connections that ended before it was known whom they join: one log line each, and a count by reason. */
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { DenialFacts } from '../admin/metrics.ts';
import type { LineChoice } from './access-selection.ts';
import { logFailed } from './access-log.ts';
import type { Direction } from './access-log.ts';
import { ConnectionCut } from './connection-cut.ts';
import type { FailureSink } from './last-failure.ts';
import { Refusal } from './refusal.ts';

export type EarlyFailure = {
  readonly direction: Direction;
  readonly source?: SocketAddress | undefined;
  readonly destination?: SocketAddress | undefined;
  /** A {@link Refusal} or {@link ConnectionCut}; anything else is a defect, and logged as one. */
  readonly thrown: unknown;
};

export type EarlyFailureDeps = {
  /** The access scope. */
  readonly log: Logger;
  readonly lines: LineChoice;
  readonly metrics: { denied(facts: DenialFacts): void };
  readonly failures: FailureSink;
};

/** Writes the line and counts. */
export function recordEarlyFailure(
  { direction, source, destination, thrown }: EarlyFailure,
  { log, lines, metrics, failures }: EarlyFailureDeps,
): void {
  const denial = thrown instanceof Refusal ? thrown.reason : thrown instanceof ConnectionCut ? thrown.denial : undefined;
  const flag = thrown instanceof Refusal || thrown instanceof ConnectionCut ? thrown.flag : '-';
  if (denial !== undefined) metrics.denied({ direction, reason: denial, flag });
  const error = messageOf(thrown);
  failures.recvFailure({ direction, error });
  const result = denial === undefined ? 'failed' : 'denied';
  if (lines.isWanted({ result, direction, flag, namespaces: [] })) logFailed(log, { direction, source, destination, error });
}

function messageOf(thrown: unknown): string {
  if (thrown instanceof Refusal || thrown instanceof ConnectionCut) return thrown.message;
  return MeshError.from(thrown, 'MESH-INTERNAL-001').message;
}
