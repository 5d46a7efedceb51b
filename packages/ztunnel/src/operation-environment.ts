/** How a node proxy behaves towards those who run it, by environment; none of it is upstream's. */
import { parseAccessFilter, parseAccessShares } from './path/access-selection.ts';
import type { AccessSelectionOptions } from './path/access-selection.ts';
import type { EnvironmentReader } from '@clearmesh/shared/lifecycle/environment';

export type OperationConfig = {
  /** Applications learn of refused, failed and reset connections by a reset rather than an end. @default false */
  readonly resets: boolean;
  readonly accessLog: AccessSelectionOptions;
  /** How long no connection can be accepted before the process ends, milliseconds; 0: it never does. @default 1 minute */
  readonly acceptDeadlineMs: number;
  /** Bytes that readers of all tunnels together may leave unread before peers have to wait. @default 256 MiB */
  readonly unreadLimit: number;
};

const mebibyte = 1024 * 1024;

/** `PROPAGATE_RESETS`, `ACCESS_LOG_FILTER`, `ACCESS_LOG_SAMPLE`, `ACCEPT_FAILURE_DEADLINE`, `TUNNEL_UNREAD_LIMIT`. */
export function readOperation(reader: EnvironmentReader): OperationConfig {
  return {
    resets: reader.boolean('PROPAGATE_RESETS', false),
    accessLog: readAccessLog(reader),
    acceptDeadlineMs: reader.durationMs('ACCEPT_FAILURE_DEADLINE', 60_000),
    unreadLimit: reader.integer('TUNNEL_UNREAD_LIMIT', 256 * mebibyte, { min: mebibyte, max: 1024 * 1024 * mebibyte }),
  };
}

function readAccessLog(reader: EnvironmentReader): AccessSelectionOptions {
  const filter = parseAccessFilter(reader.text('ACCESS_LOG_FILTER', ''));
  const shares = parseAccessShares(reader.text('ACCESS_LOG_SAMPLE', ''));
  if (filter === undefined)
    reader.reject(
      'ACCESS_LOG_FILTER',
      'set it to conditions such as result=failed|denied,namespace=bank,direction=inbound,flag=DENY',
    );
  if (shares === undefined)
    reader.reject(
      'ACCESS_LOG_SAMPLE',
      'set it to a share from 0 to 1 of what ends well, or to shares such as ok=0.01,failed=0.5',
    );
  return { filter: filter ?? {}, shares: shares ?? {} };
}
