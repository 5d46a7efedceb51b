/**
 * Inbound connections that are open now, so that a policy can end those it newly denies (l4-contract section 9).
 *
 *   admit ── registered, then decided ──▶ open ── release ──▶ gone
 *              └ denied ─▶ gone            └ policy changed, denied ─▶ closed by us ─▶ gone
 *
 * L1  A connection is registered before it is checked, and both happen without a pause, so that no policy can
 *     slip in between the check and the list of connections to check again.
 * L2  The decision is made again with the workload as it is known now, else as it was at accept: a policy that comes
 *     to select the workload later ends live connections like one that selected it from the start.
 *     A policy it lists and that has not arrived yet ends none: its arrival decides. A waypoint it comes to require ends
 *     none either: it is for who comes next (B4 of waypoint-traversal.ts). Who asked, and for whom, stays as at accept.
 * L3  Admitting and releasing cost the same however many connections are open; beyond `maxConnections` none is
 *     admitted, since one that is not watched could outlive the policy that forbids it.
 * L4  `close` may be called at any time until `release`, at most once; `release` is harmless afterwards.
 */
import type { WorkloadUid } from '@clearmesh/shared/model/names';
import type { LogFields, Logger } from '@clearmesh/shared/observe/log';
import type { Snapshot, SnapshotChange, SnapshotSource } from '@clearmesh/shared/snapshot/snapshot';
import { authorise, decide, policiesFor, unknownPolicies } from './authorise.ts';
import type { Denial, InboundFacts, Permit } from './permit.ts';

export type LiveConnectionsOptions = {
  /** Connections watched at a time. @default 250 000 */
  readonly maxConnections?: number;
  /** Log level of decisions (AUTHZ_POLICY_INFO_LOGGING). @default 'debug' */
  readonly decisionLevel?: 'debug' | 'info';
};

export type LiveConnectionsDeps = { readonly source: SnapshotSource; readonly logger: Logger };

/** An open connection: call `release` once when it ended, for whatever reason. */
export type Admitted = { readonly kind: 'admitted'; readonly permit: Permit; readonly release: () => void };

type Connection = { readonly facts: InboundFacts; readonly close: (denial: Denial) => void };

export class LiveConnections implements Disposable {
  readonly #maxConnections: number;
  readonly #source: SnapshotSource;
  readonly #logger: Logger;
  readonly #decisionLevel: 'debug' | 'info';
  readonly #stop: () => void;
  /** By accepting workload, since most changes concern few of them. */
  readonly #open = new Map<WorkloadUid, Set<Connection>>();
  #size = 0;

  constructor(options: LiveConnectionsOptions, deps: LiveConnectionsDeps) {
    this.#maxConnections = options.maxConnections ?? 250_000;
    this.#source = deps.source;
    this.#logger = deps.logger;
    this.#decisionLevel = options.decisionLevel ?? 'debug';
    this.#stop = deps.source.onChange((snapshot, change) => this.#recvChange(snapshot, change));
  }

  /** Connections open now. */
  get size(): number {
    return this.#size;
  }

  /** Registers and decides in one step (L1). `close` ends the connection when a later policy denies it. */
  admit(facts: InboundFacts, close: (denial: Denial) => void): Admitted | Denial {
    if (this.#size >= this.#maxConnections) return this.#deny(this.#full(facts));
    const connection: Connection = { facts, close };
    const connections = this.#open.get(facts.workload.uid) ?? new Set();
    this.#open.set(facts.workload.uid, connections.add(connection));
    this.#size++;
    const snapshot = this.#source.current;
    const decision = authorise(facts, snapshot);
    if (decision.kind === 'permit') {
      this.#log('policy allows a connection', decision);
      return { kind: 'admitted', permit: decision, release: () => void this.#forget(connection) };
    }
    this.#forget(connection);
    return this.#deny(decision);
  }

  /** Stops watching; open connections go on. */
  [Symbol.dispose](): void {
    this.#stop();
    this.#open.clear();
    this.#size = 0;
  }

  #recvChange(snapshot: Snapshot, change: SnapshotChange): void {
    if (change.policiesChanged) {
      for (const uid of this.#open.keys()) this.#check(uid, snapshot);
      return;
    }
    for (const { uid } of change.workloadsChanged) this.#check(uid, snapshot);
  }

  #check(uid: WorkloadUid, snapshot: Snapshot): void {
    const connections = this.#open.get(uid);
    if (connections === undefined) return;
    const current = snapshot.workload(uid);
    const policies = current && policiesFor(current, snapshot);
    // The ALLOW that matches may be the very one that has not arrived, as when a policy is renamed.
    const incomplete = current !== undefined && unknownPolicies(current, snapshot).length > 0;
    for (const connection of connections) {
      const { facts } = connection;
      const decision = decide(facts, policies ?? policiesFor(facts.workload, snapshot));
      if (decision.kind === 'permit' || (incomplete && decision.reason === 'no-allow-matched')) continue;
      this.#close(connection, decision);
    }
  }

  #close(connection: Connection, denial: Denial): void {
    // Closing one connection may end another: a session closes its streams.
    if (!this.#forget(connection)) return;
    this.#deny(denial);
    try {
      connection.close(denial);
    } catch (error) {
      this.#logger.error('a denied connection could not be closed [MESH-INTERNAL-001]', {
        error: String(error),
        denial: denial.explanation,
      });
    }
  }

  #deny(denial: Denial): Denial {
    this.#log(`policy denies a connection: ${denial.explanation}`, denial);
    return denial;
  }

  #log(message: string, decision: Permit | Denial): void {
    const log = (text: string, fields: LogFields): void => this.#logger[this.#decisionLevel](text, fields);
    log(
      message,
      decision.kind === 'permit'
        ? { source: decision.facts.caller ?? decision.facts.identity ?? decision.facts.sourceIp, policy: decision.allowedBy }
        : {},
    );
    for (const note of decision.dryRun) {
      log(
        `dry-run policy: ${note.outcome}`,
        note.outcome === 'no-allow-would-match' ? {} : { policy: note.policy, rule: note.rule },
      );
    }
  }

  #forget(connection: Connection): boolean {
    const { uid } = connection.facts.workload;
    const connections = this.#open.get(uid);
    if (connections === undefined || !connections.delete(connection)) return false;
    this.#size--;
    if (connections.size === 0) this.#open.delete(uid);
    return true;
  }

  #full({ sourceIp, workload }: InboundFacts): Denial {
    return {
      kind: 'denied',
      reason: 'tracking-full',
      explanation: `a connection from ${sourceIp} to ${workload.namespace}/${workload.name} is refused: ${this.#maxConnections} connections are open, and no more can be watched for policy changes`,
      dryRun: [],
    };
  }
}
