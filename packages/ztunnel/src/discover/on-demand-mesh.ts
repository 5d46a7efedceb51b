/**
 * The mesh as far as pods of this node need it: what a connection depends on is asked for when it comes, and the connection waits
 * for the answer (l4-contract sections 3.1 and 7.1, `XDS_ON_DEMAND`).
 *
 *   connection ─▶ names it depends on ─┬─ all answered ───────────────────────────────▶ decided by the snapshot
 *                                      └─ ask, wait ─┬─ answered ─▶ names again …
 *                                                    └─ late, or too many wait ───────▶ refused
 *
 * D1  Not asked is not absent: no connection is decided before everything it depends on was answered.
 * D2  One question for all who wait for a name. An answer holds: the control plane tells what changes about it, also when it
 *     was that nothing has the name.
 * D3  What exists is kept, which is never more than a subscription to everything would hold. Of names that nothing has, the ones
 *     used last are kept: a pod that scans addresses grows nothing.
 * D4  A name of which something is known already is waited for a moment only: a control plane need not say again what it said.
 */
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { Deadline } from '@clearmesh/shared/lifecycle/deadline';
import type { IpAddress } from '@clearmesh/shared/model/ip-address';
import { podUid } from '@clearmesh/shared/model/names';
import type { Workload } from '@clearmesh/shared/model/workload';
import type { PodName, Snapshot, SnapshotSource } from '@clearmesh/shared/snapshot/snapshot';
import type { DeltaPush, Rejection } from '@clearmesh/shared/subscribe/delta-push';
import { ADDRESS_TYPE_URL } from '@clearmesh/shared/wire/type-urls';
import { destinationNames, followingNames, isKnown, ownNames } from './needed-names.ts';
import { NameAnswers } from './name-answers.ts';

export type OnDemandOptions = {
  /** Own cluster, by which pods of this node are named. */
  readonly clusterId: string;
  /** Longest wait of a connection, milliseconds. @default 5 000 */
  readonly maxWaitMs?: number;
  /** The same for a name of which something is known, milliseconds. @default 500 */
  readonly maxKnownWaitMs?: number;
  /** Connections of one pod that wait at a time. @default 1 000 */
  readonly maxWaiting?: number;
  /** Names kept though nothing has them. @default 10 000 */
  readonly maxAbsent?: number;
};

/** The conversation with the control plane. */
export interface NameSubscription {
  stateOf(name: string): 'pending' | 'answered' | undefined;
  ask(name: string): boolean;
  /** Counts as answered although nothing came. */
  assume(name: string): void;
  giveUp(name: string): void;
}

export type OnDemandDeps = {
  readonly store: SnapshotSource & {
    apply(push: DeltaPush): readonly Rejection[];
    awaitWorkload(pod: PodName, signal: AbortSignal): Promise<Workload | undefined>;
    awaitGuardedWorkload(pod: PodName, signal: AbortSignal): Promise<Workload | undefined>;
  };
  readonly subscription: NameSubscription;
  readonly clock: Pick<Clock, 'after'>;
  readonly metrics: { lookedUpOnDemand(outcome: LookupOutcome): void };
};

/** How the wait of a connection ended. */
export type LookupOutcome = 'answered' | 'late' | 'overload' | 'aborted';

export class OnDemandMesh implements SnapshotSource {
  readonly #options: Required<OnDemandOptions>;
  readonly #deps: OnDemandDeps;
  readonly #answers: NameAnswers;
  /** Names asked for, the one used last at the end. */
  readonly #used = new Set<string>();
  /** Pods of this node by uid, and how many hold each. */
  readonly #held = new Map<string, number>();
  readonly #waiting = new Map<string, number>();
  #sweepAt: number;

  constructor(options: OnDemandOptions, deps: OnDemandDeps) {
    this.#options = { maxWaitMs: 5_000, maxKnownWaitMs: 500, maxWaiting: 1_000, maxAbsent: 10_000, ...options };
    this.#deps = deps;
    this.#answers = new NameAnswers(deps);
    this.#sweepAt = this.#options.maxAbsent;
  }

  get current(): Snapshot {
    return this.#deps.store.current;
  }

  onChange(listener: Parameters<SnapshotSource['onChange']>[0]): () => void {
    return this.#deps.store.onChange(listener);
  }

  /** Names subscribed to. */
  get size(): number {
    return this.#used.size;
  }

  /** Connections that wait now. */
  get waiting(): number {
    return this.#answers.waiting;
  }

  /** Applies a push, and asks for what it makes worth knowing. */
  apply(push: DeltaPush): readonly Rejection[] {
    const rejections = this.#deps.store.apply(push);
    if (push.typeUrl === ADDRESS_TYPE_URL) {
      for (const { name } of push.upserts) for (const next of followingNames(this.current, name)) this.#use(next);
    }
    return rejections;
  }

  /** Those who wait go on; what the answer brought is in the snapshot. */
  recvAnswered(names: readonly string[]): void {
    this.#answers.recv(names);
  }

  /** A pod of this node is served, so the mesh has to know it; until disposed. */
  hold({ namespace, name }: PodName): Disposable {
    const uid = podUid(this.#options.clusterId, namespace, name);
    this.#held.set(uid, (this.#held.get(uid) ?? 0) + 1);
    this.#use(uid);
    const stack = new DisposableStack();
    stack.defer(() => this.#release(uid));
    return stack;
  }

  awaitWorkload(pod: PodName, signal: AbortSignal): Promise<Workload | undefined> {
    return this.#deps.store.awaitWorkload(pod, signal);
  }

  /** As the store's, with all that says who may come; `undefined` without it. */
  async awaitGuardedWorkload(pod: PodName, signal: AbortSignal): Promise<Workload | undefined> {
    const workload = await this.#deps.store.awaitGuardedWorkload(pod, signal);
    if (workload === undefined) return undefined;
    const own = (snapshot: Snapshot): ReadonlySet<string> => ownNames(snapshot, snapshot.workload(workload.uid) ?? workload);
    const isSettled = await this.#settle(own, workload, signal);
    signal.throwIfAborted();
    if (!isSettled) return undefined;
    return this.current.workloadByPod(pod.namespace, pod.name, pod.serviceAccount);
  }

  /** True once all is known that decides where a connection to this address goes; false when it takes too long. */
  awaitDestination(source: Workload, ip: IpAddress, signal: AbortSignal): Promise<boolean> {
    return this.#settle((snapshot) => destinationNames(snapshot, source, ip), source, signal);
  }

  /** D1. */
  async #settle(namesIn: (snapshot: Snapshot) => ReadonlySet<string>, { uid }: Workload, signal: AbortSignal): Promise<boolean> {
    if (this.#firstOpen(namesIn(this.current)) === undefined) return true;
    const outcome = await this.#wait(namesIn, uid, signal);
    this.#deps.metrics.lookedUpOnDemand(outcome);
    return outcome === 'answered';
  }

  async #wait(namesIn: (snapshot: Snapshot) => ReadonlySet<string>, pod: string, signal: AbortSignal): Promise<LookupOutcome> {
    const waiting = this.#waiting.get(pod) ?? 0;
    if (waiting >= this.#options.maxWaiting) return 'overload';
    this.#waiting.set(pod, waiting + 1);
    using deadline = new Deadline({ limitMs: this.#options.maxWaitMs }, this.#deps);
    const end = deadline.within(signal);
    try {
      for (;;) {
        const open = this.#firstOpen(namesIn(this.current));
        if (open === undefined) return 'answered';
        if (this.#deps.subscription.stateOf(open) === undefined) return 'overload';
        const knownWaitMs = isKnown(this.current, open) ? this.#options.maxKnownWaitMs : undefined;
        if ((await this.#answers.wait(open, knownWaitMs, end)) === 'over') this.#deps.subscription.assume(open);
        if (end.aborted) return signal.aborted ? 'aborted' : 'late';
      }
    } finally {
      this.#endWait(pod);
    }
  }

  #endWait(pod: string): void {
    const waiting = (this.#waiting.get(pod) ?? 1) - 1;
    if (waiting === 0) this.#waiting.delete(pod);
    else this.#waiting.set(pod, waiting);
  }

  /** Asks for all that is not asked for, and tells one that was not answered. */
  #firstOpen(names: ReadonlySet<string>): string | undefined {
    let open: string | undefined;
    for (const name of names) {
      this.#use(name);
      if (this.#deps.subscription.stateOf(name) !== 'answered') open ??= name;
    }
    return open;
  }

  #use(name: string): void {
    const isNew = !this.#used.delete(name) || this.#deps.subscription.stateOf(name) === undefined;
    // Refused when too many are pending: tried again when it is used again.
    if (isNew && !this.#deps.subscription.ask(name)) return;
    this.#used.add(name);
    if (this.#used.size > this.#sweepAt) this.#sweep();
  }

  #release(uid: string): void {
    const holders = (this.#held.get(uid) ?? 1) - 1;
    if (holders > 0) return void this.#held.set(uid, holders);
    this.#held.delete(uid);
    this.#giveUp(uid);
  }

  #giveUp(name: string): void {
    this.#used.delete(name);
    this.#deps.subscription.giveUp(name);
  }

  /** D3. Half of them go at a time, so that looking at all of them is rare. */
  #sweep(): void {
    const { current } = this;
    const { subscription } = this.#deps;
    const absent = [...this.#used].filter(
      (name) => !this.#held.has(name) && subscription.stateOf(name) === 'answered' && !isKnown(current, name),
    );
    const keep = Math.floor(this.#options.maxAbsent / 2);
    for (const name of absent.slice(0, Math.max(0, absent.length - keep))) this.#giveUp(name);
    this.#sweepAt = this.#used.size - Math.min(keep, absent.length) + this.#options.maxAbsent;
  }
}
