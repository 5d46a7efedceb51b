/**
 * Work that one replica does for all: writing to the cluster. Every replica serves proxies; the leader alone writes.
 *
 *   idle ── lead(leadership) ──▶ leading ── disposed: leadership lost, or shutdown ──▶ idle
 *
 * T1  A run may write only while `signal` is not aborted: afterwards another replica may lead already.
 * T2  A task is led again after a loss, with a run of its own; it keeps nothing that another leader may have changed.
 */
import type { Logger } from '@clearmesh/shared/observe/log';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { ApiClient } from '../kubernetes/api-client.ts';
import type { Configured } from '../report/report.ts';

export type Leadership = {
  /** The API server; its kubeconfig is at `api.kubeConfig`. */
  readonly api: ApiClient;
  /** Aborts when this replica leads no more. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly random: Random;
  /** In the scope of the task's name. */
  readonly logger: Logger;
};

/** A task while this replica leads. */
export interface LeaderRun extends AsyncDisposable {
  /** Collections and their model: once at the beginning if there are any, then each new one. Must not throw. */
  onConfiguration?(configured: Configured): void;
}

export interface LeaderTask {
  /** Also the scope of its log lines. */
  readonly name: string;
  /** This replica leads from now. Must not throw, and must not wait for the API server: work goes on beside it. */
  lead(leadership: Leadership): LeaderRun;
}
