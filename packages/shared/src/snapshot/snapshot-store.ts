/**
 * Keeps the current snapshot: applies pushes, tells listeners, and lets a connection wait for its own workload.
 *
 *   push ──▶ draft (removals, then upserts) ──▶ new snapshot ──▶ listeners ──▶ waiters
 *
 * S1  `current` is replaced before anybody hears of the change.
 * S2  A resource that cannot be decoded leaves its last good version in place (section 3.1).
 * S3  A listener that throws is logged; the others still hear of the change.
 * S4  A policy that cannot be decoded and has no good version denies what it was meant for, until a usable one comes.
 */
import { decodeAuthorization } from '../wire/authorization.ts';
import { ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL } from '../wire/type-urls.ts';
import { decodeAddress } from '../wire/wds.ts';
import type { Clock } from '../lifecycle/clock.ts';
import type { Workload } from '../model/workload.ts';
import type { Logger } from '../observe/log.ts';
import type { DeltaPush, Rejection } from '../subscribe/delta-client.ts';
import { emptyIndexes, MeshSnapshot } from './mesh-snapshot.ts';
import { SnapshotDraft } from './snapshot-draft.ts';
import type { PodName, Snapshot, SnapshotChange, SnapshotSource } from './snapshot.ts';
import { standInPolicy } from './stand-in-policy.ts';

export type SnapshotStoreOptions = {
  /** The own cluster; its pods win over namesakes of another one. */
  readonly clusterId: string;
};

/** How long a connection waits for its own workload, milliseconds (sections 7 and 8). */
export const workloadWaitMs = 5_000;

type Listener = (snapshot: Snapshot, change: SnapshotChange) => void;
type Wish = { readonly pod: PodName; readonly guarded: boolean };
type Waiter = Wish & { readonly recvWorkload: (workload: Workload) => void };

export class SnapshotStore implements SnapshotSource {
  readonly #clusterId: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #listeners = new Set<Listener>();
  /** By `namespace/name`: a push wakes only those whose pod it names. */
  readonly #waiters = new Map<string, Set<Waiter>>();
  #snapshot: MeshSnapshot;
  #arrivals = 0;

  constructor(options: SnapshotStoreOptions, deps: { readonly clock: Clock; readonly logger: Logger }) {
    this.#clusterId = options.clusterId;
    this.#clock = deps.clock;
    this.#logger = deps.logger;
    this.#snapshot = new MeshSnapshot(emptyIndexes(), options.clusterId);
  }

  get current(): Snapshot {
    return this.#snapshot;
  }

  /** Connections that wait for their workload now. */
  get waiting(): number {
    let count = 0;
    for (const waiters of this.#waiters.values()) count += waiters.size;
    return count;
  }

  onChange(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Applies one push as a whole: removals, then upserts; returns what was rejected. */
  apply(push: DeltaPush): readonly Rejection[] {
    const draft = new SnapshotDraft(this.#snapshot.indexes, () => ++this.#arrivals);
    const rejections = this.#edit(draft, push);
    const finished = draft.finish();
    if (finished === undefined) return rejections;
    this.#snapshot = new MeshSnapshot(finished.indexes, this.#clusterId);
    this.#announce(finished.change);
    return rejections;
  }

  /**
   * The pod's workload, now or as soon as it is pushed; `undefined` after `deadlineMs`.
   * @param deadlineMs milliseconds; sections 7 and 8 give it 5 s
   */
  awaitWorkload(pod: PodName, signal: AbortSignal, deadlineMs: number = workloadWaitMs): Promise<Workload | undefined> {
    return this.#await({ pod, guarded: false }, signal, deadlineMs);
  }

  /** As {@link awaitWorkload}, with every policy it lists known; after `deadlineMs` it comes without them. */
  awaitGuardedWorkload(pod: PodName, signal: AbortSignal, deadlineMs: number = workloadWaitMs): Promise<Workload | undefined> {
    return this.#await({ pod, guarded: true }, signal, deadlineMs);
  }

  async #await(wish: Wish, signal: AbortSignal, deadlineMs: number): Promise<Workload | undefined> {
    signal.throwIfAborted();
    const known = this.#find(wish);
    if (known !== undefined) return known;
    const { promise, resolve, reject } = Promise.withResolvers<Workload | undefined>();
    const recvAbort = (): void => reject(signal.reason);
    const forget = this.#addWaiter({ ...wish, recvWorkload: resolve });
    const cancel = this.#clock.after(deadlineMs, () => resolve(this.#find({ ...wish, guarded: false })));
    signal.addEventListener('abort', recvAbort, { once: true });
    try {
      return await promise;
    } finally {
      cancel();
      forget();
      signal.removeEventListener('abort', recvAbort);
    }
  }

  #find({ pod, guarded }: Wish): Workload | undefined {
    const workload = this.#snapshot.workloadByPod(pod.namespace, pod.name, pod.serviceAccount);
    if (workload === undefined || !guarded) return workload;
    return workload.authorizationPolicies.every((key) => this.#snapshot.policy(key) !== undefined) ? workload : undefined;
  }

  #edit(draft: SnapshotDraft, push: DeltaPush): readonly Rejection[] {
    switch (push.typeUrl) {
      case ADDRESS_TYPE_URL:
        for (const name of push.removed)
          if (!draft.removeAddress(name)) this.#logger.debug('removal of an unknown resource', { name });
        return push.upserts.flatMap(({ name, value }) => putAddress(draft, name, value));
      case AUTHORIZATION_TYPE_URL:
        for (const name of push.removed)
          if (!draft.removePolicy(name)) this.#logger.debug('removal of an unknown policy', { name });
        return push.upserts.flatMap(({ name, value }) => this.#putPolicy(draft, name, value));
      default:
        return push.upserts.map(({ name }) => ({ name, reason: `resource type ${push.typeUrl} is not subscribed to` }));
    }
  }

  #putPolicy(draft: SnapshotDraft, name: string, value: Uint8Array): readonly Rejection[] {
    const decoded = decodeAuthorization(value);
    if (decoded.kind === 'policy') {
      draft.putPolicy(decoded.policy);
      return [];
    }
    const stand = draft.hasPolicy(name) ? undefined : standInPolicy(name, value);
    if (stand !== undefined) {
      draft.putPolicy(stand);
      this.#logger.error('a policy cannot be used; what it was meant for is denied until a usable version comes', {
        policy: name,
        scope: stand.scope,
        reason: decoded.reason,
      });
    }
    return [{ name, reason: decoded.reason }];
  }

  #announce(change: SnapshotChange): void {
    for (const listener of this.#listeners) {
      try {
        listener(this.#snapshot, change);
      } catch (error) {
        this.#logger.error('a listener failed on a new snapshot [MESH-INTERNAL-001]', { error: String(error) });
      }
    }
    if (this.#waiters.size === 0) return;
    const woken = change.policiesChanged
      ? [...this.#waiters.values()]
      : change.workloadsChanged.map(({ namespace, name }) => this.#waiters.get(`${namespace}/${name}`) ?? []);
    for (const waiters of woken) {
      for (const waiter of waiters) {
        const workload = this.#find(waiter);
        if (workload !== undefined) waiter.recvWorkload(workload);
      }
    }
  }

  #addWaiter(waiter: Waiter): () => void {
    const pod = `${waiter.pod.namespace}/${waiter.pod.name}`;
    const waiters = this.#waiters.get(pod) ?? new Set();
    this.#waiters.set(pod, waiters.add(waiter));
    return () => {
      waiters.delete(waiter);
      if (waiters.size === 0 && this.#waiters.get(pod) === waiters) this.#waiters.delete(pod);
    };
  }
}

function putAddress(draft: SnapshotDraft, name: string, value: Uint8Array): readonly Rejection[] {
  const decoded = decodeAddress(value);
  switch (decoded.kind) {
    case 'workload':
      draft.putWorkload(decoded.workload);
      return [];
    case 'service':
      draft.putService(decoded.service);
      return [];
    case 'rejected':
      return [{ name, reason: decoded.reason }];
  }
}
