/**
 * The pods this proxy serves, by uid.
 *
 *   (absent) ── add ──▶ pending ── start ──▶ up ── remove ──▶ parting ── last connection ended | grace over ──▶ (absent)
 *                          │  ▲               └── other namespace ──▶ (absent, cut at once)
 *                          └──┘ start failed: again after the retry interval
 *
 * P1  A pod that cannot start is kept and tried again; it never stops another one (l4-contract section 5).
 * P2  Whoever owns a pod's namespace handle closes it: a pod that is up owns it until it is gone.
 * P3  Starting is synchronous, so no second event can find a pod half started.
 * P4  A removed pod takes nothing new, and what it has open may end: it may run on outside the mesh, and the node agent lets go
 *     of the redirection only when these connections have ended. One that is no more has none.
 */
import type { Cancel, Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Logger } from '@clearmesh/shared/observe/log';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { ZdsPodInfo } from '@clearmesh/shared/wire/zds';

/** A network namespace as far as the set of pods tells it from another; equal when both numbers are. */
export interface NamespaceHandle extends Disposable {
  readonly inode: bigint;
  readonly device: bigint;
}

export type PodSpec<Namespace extends NamespaceHandle> = {
  /** UID of the pod. */
  readonly uid: string;
  readonly info: ZdsPodInfo;
  readonly namespace: Namespace;
};

/** A pod whose listeners are open. */
export interface RunningPod {
  /** Closes the listeners, lets connections finish within the deadline (milliseconds), then cuts them. */
  drain(deadlineMs: number): Promise<{ readonly cut: readonly string[] }>;
  /** Closes the listeners and cuts every connection now. */
  destroy(): void;
}

export type PodsOptions = {
  /** Time between attempts to start a pod, milliseconds. @default 5000 */
  readonly retryMs?: number;
  /** How long the connections of a removed pod may go on, milliseconds. @default 600000 */
  readonly graceMs?: number;
};

export type PodsDeps<Namespace extends NamespaceHandle, Pod extends RunningPod> = {
  /** Opens the listeners; throws when that fails. */
  readonly start: (spec: PodSpec<Namespace>) => Pod;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Word of every start, stop and change of the number of pending pods. */
  readonly onChange: (change: PodsChange) => void;
};

export type PodsChange = {
  readonly kind: 'started' | 'stopped' | 'pending' | 'forgotten';
  readonly up: number;
  readonly pending: number;
};

/** One line of the dump. */
export type PodState<Pod> = { readonly uid: string; readonly info: ZdsPodInfo; readonly inode: bigint } & (
  | { readonly state: 'Up'; readonly pod: Pod }
  | { readonly state: 'Pending'; readonly lastError: string }
);

type Entry<Namespace extends NamespaceHandle, Pod> =
  | { readonly kind: 'pending'; readonly spec: PodSpec<Namespace>; readonly lastError: string; readonly cancelRetry: Cancel }
  | Up<Namespace, Pod>;

type Up<Namespace extends NamespaceHandle, Pod> = { readonly kind: 'up'; readonly spec: PodSpec<Namespace>; readonly pod: Pod };

/** Starts, retries and stops pods. */
export class Pods<Namespace extends NamespaceHandle, Pod extends RunningPod> {
  readonly #retryMs: number;
  readonly #graceMs: number;
  readonly #deps: PodsDeps<Namespace, Pod>;
  readonly #entries = new Map<string, Entry<Namespace, Pod>>();
  readonly #parting = new Set<Up<Namespace, Pod>>();
  #pending = 0;

  constructor(options: PodsOptions, deps: PodsDeps<Namespace, Pod>) {
    this.#retryMs = options.retryMs ?? 5_000;
    this.#graceMs = options.graceMs ?? 600_000;
    this.#deps = deps;
  }

  /** Pods that are known but not served. */
  get pendingCount(): number {
    return this.#pending;
  }

  get upCount(): number {
    return this.#entries.size - this.#pending;
  }

  /** Serves a pod; returns why not, or `undefined`. A pod that is up in the same namespace stays as it is. */
  add(spec: PodSpec<Namespace>): string | undefined {
    const known = this.#entries.get(spec.uid);
    if (known?.kind === 'up' && sameNamespace(known.spec.namespace, spec.namespace)) {
      spec.namespace[Symbol.dispose]();
      return undefined;
    }
    if (known !== undefined) this.#remove(known, 'cut');
    return this.#start(spec);
  }

  /** Stops serving a pod (P4). Unknown uids are no error. */
  remove(uid: string): void {
    const entry = this.#entries.get(uid);
    if (entry !== undefined) this.#remove(entry, 'part');
  }

  /** Removes every pod that is not among `uids`. */
  retain(uids: ReadonlySet<string>): void {
    for (const uid of this.#entries.keys()) if (!uids.has(uid)) this.remove(uid);
  }

  /** Stops retrying one pod. */
  forgetPendingPod(uid: string): void {
    if (this.#entries.get(uid)?.kind === 'pending') this.remove(uid);
  }

  /** Stops retrying: a new conversation with the agent names these pods again. */
  forgetPending(): void {
    for (const uid of this.#entries.keys()) this.forgetPendingPod(uid);
  }

  /** Stops accepting everywhere, waits for what is open up to `deadlineMs`, then cuts it and tells what was cut. */
  async drain(deadlineMs: number): Promise<readonly string[]> {
    this.forgetPending();
    const up = [...this.#entries.values()].filter((entry) => entry.kind === 'up');
    const parting = [...this.#parting];
    const cancel = this.#deps.clock.after(deadlineMs, () => parting.forEach((entry) => entry.pod.destroy()));
    const ends = await Promise.all([...up, ...parting].map((entry) => entry.pod.drain(deadlineMs)));
    cancel();
    for (const entry of up) this.#remove(entry, 'cut');
    return ends.flatMap((end) => end.cut);
  }

  /** Ends every pod now, and cuts what is open. */
  [Symbol.dispose](): void {
    for (const entry of this.#entries.values()) this.#remove(entry, 'cut');
    for (const entry of this.#parting) this.#end(entry);
  }

  /** Pods that were taken away and still have something open. */
  *parting(): Generator<Pod> {
    for (const { pod } of this.#parting) yield pod;
  }

  /** The pods as the dump shows them. */
  *states(): Generator<PodState<Pod>> {
    for (const [uid, entry] of this.#entries) {
      const { info, namespace } = entry.spec;
      const known = { uid, info, inode: namespace.inode };
      yield entry.kind === 'up'
        ? { ...known, state: 'Up', pod: entry.pod }
        : { ...known, state: 'Pending', lastError: entry.lastError };
    }
  }

  #remove(entry: Entry<Namespace, Pod>, how: 'part' | 'cut'): void {
    this.#entries.delete(entry.spec.uid);
    if (entry.kind === 'pending') return this.#discard(entry);
    this.#parting.add(entry);
    if (how === 'cut') this.#end(entry);
    else void this.#part(entry);
    this.#report('stopped');
  }

  async #part(entry: Up<Namespace, Pod>): Promise<void> {
    const { cut } = await entry.pod.drain(this.#graceMs);
    if (cut.length > 0)
      this.#deps.logger.warn('connections of a pod that left the mesh were cut', { ...podFields(entry.spec), count: cut.length });
    this.#end(entry);
  }

  #end(entry: Up<Namespace, Pod>): void {
    if (!this.#parting.delete(entry)) return;
    entry.pod.destroy();
    entry.spec.namespace[Symbol.dispose]();
  }

  #start(spec: PodSpec<Namespace>): string | undefined {
    try {
      this.#entries.set(spec.uid, { kind: 'up', spec, pod: this.#deps.start(spec) });
    } catch (thrown) {
      return this.#recvStartFailure(spec, MeshError.from(thrown, 'MESH-CAPTURE-001'));
    }
    this.#deps.logger.info('pod captured', podFields(spec));
    this.#report('started');
    return undefined;
  }

  #recvStartFailure(spec: PodSpec<Namespace>, error: MeshError): string {
    this.#pending++;
    const cancelRetry = this.#deps.clock.after(this.#retryMs, () => this.#retry(spec));
    this.#entries.set(spec.uid, { kind: 'pending', spec, lastError: error.message, cancelRetry });
    this.#deps.logger.warn('pod cannot be captured, its traffic is refused until it can', {
      ...podFields(spec),
      error: error.message,
      hint: error.hint,
      retry_ms: this.#retryMs,
    });
    this.#report('pending');
    return error.message;
  }

  #retry(spec: PodSpec<Namespace>): void {
    this.#entries.delete(spec.uid);
    this.#pending--;
    this.#start(spec);
  }

  #discard(entry: Extract<Entry<Namespace, Pod>, { readonly kind: 'pending' }>): void {
    this.#pending--;
    entry.cancelRetry();
    entry.spec.namespace[Symbol.dispose]();
    this.#report('forgotten');
  }

  #report(kind: PodsChange['kind']): void {
    this.#deps.onChange({ kind, up: this.upCount, pending: this.#pending });
  }
}

function sameNamespace(left: NamespaceHandle, right: NamespaceHandle): boolean {
  return left.inode === right.inode && left.device === right.device;
}

function podFields(spec: PodSpec<NamespaceHandle>): { readonly uid: string; readonly pod: string; readonly account: string } {
  return { uid: spec.uid, pod: `${spec.info.namespace}/${spec.info.name}`, account: spec.info.serviceAccount };
}
