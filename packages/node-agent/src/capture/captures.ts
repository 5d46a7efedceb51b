/** The captures of all pods of the node: each by its UID, from the first wish until nothing is left to do. */
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import type { Redirection } from '../redirect/redirection.ts';
import type { NodePod } from '../watch/pod-object.ts';
import type { CaptureDeps, CaptureOptions, CaptureState } from './capture-state.ts';
import { REDIRECTION } from './capture-steps.ts';
import { PodCapture } from './pod-capture.ts';

/** Pods that belong to the mesh, by how far they are in it. */
export type CaptureCounts = {
  readonly enrolled: number;
  readonly captured: number;
  /** Rules stand, the proxy has not taken over. */
  readonly pending: number;
};

/** What a captured pod still has of the connections that it had before. */
export type OlderCount = { readonly namespace: string; readonly name: string; readonly connections: number };

/** Counting reads all that a pod has open, and asks for it may come often: so many pods for one ask, and each so seldom, milliseconds. */
const maxCounts = 64;
const countMs = 5_000;

/** A sandbox as the container runtime made it. */
export type Sandbox = { readonly netns: NetworkNamespace; readonly containerId: string };

/** States before the one in which a proxy has acknowledged the pod. */
const undelivered: ReadonlySet<CaptureState['kind']> = new Set(['absent', 'running', 'placed', 'ruled']);

export class Captures implements AsyncDisposable {
  readonly #options: CaptureOptions;
  readonly #deps: CaptureDeps;
  readonly #byUid = new Map<string, PodCapture>();
  readonly #running = new Set<Promise<void>>();
  readonly #stop = new AbortController();

  constructor(options: CaptureOptions, deps: CaptureDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  get counts(): CaptureCounts {
    const wanted = this.#wanted();
    const count = (kind: string): number => wanted.filter(({ state }) => state.kind === kind).length;
    return { enrolled: wanted.length, captured: count('captured'), pending: count('ruled') };
  }

  /**
   * UIDs of pods that belong to the mesh and have not come as far as their hand-over, whatever keeps them: no namespace found,
   * or a rule that cannot be read or made now. A proxy that has served them goes on.
   */
  get undelivered(): readonly string[] {
    return this.#wanted()
      .filter(({ state }) => undelivered.has(state.kind))
      .map(({ uid }) => uid);
  }

  /** Every enrolled pod was captured, or an attempt at it has failed. */
  get allTried(): boolean {
    return this.#wanted().every(({ tried }) => tried);
  }

  /** Pods that have connections from before their capture, which go on in plaintext; those counted longest ago are counted anew. */
  countOlder(): readonly OlderCount[] {
    const withSome = this.#wanted().filter(({ older }) => older !== undefined && older.count > 0);
    const oldestFirst = withSome.toSorted((left, right) => (left.older?.countedAtMs ?? 0) - (right.older?.countedAtMs ?? 0));
    for (const capture of oldestFirst.slice(0, maxCounts)) capture.countOlder(countMs);
    return withSome.flatMap(({ wish: { pod }, older }) => {
      const connections = older?.count ?? 0;
      return connections === 0 ? [] : [{ namespace: pod.namespace, name: pod.name, connections }];
    });
  }

  isCaptured(uid: string): boolean {
    return this.#byUid.get(uid)?.state.kind === 'captured';
  }

  /** The pod belongs to the mesh and has its addresses. */
  enrol(pod: NodePod, redirection: Redirection): void {
    const known = this.#byUid.get(pod.uid);
    // One that is on its way out has no sandbox any more, or loses it now.
    if (known === undefined && pod.terminating) return;
    const wish = { kind: 'captured', pod, redirection } as const;
    if (known === undefined) this.#start(new PodCapture(wish, this.#options, this.#deps));
    else known.want(wish);
  }

  /** The pod runs and does not belong to the mesh, or not any more. */
  release(pod: NodePod): void {
    const known = this.#byUid.get(pod.uid);
    if (known !== undefined) known.want({ kind: 'released', pod });
    // What the annotation says was true once: an earlier agent may have left its rules.
    else if (pod.annotations[REDIRECTION] !== undefined)
      this.#start(new PodCapture({ kind: 'released', pod }, this.#options, this.#deps));
  }

  /** The pod has finished; its object is still there. */
  recvFinished(pod: NodePod): void {
    const known = this.#byUid.get(pod.uid);
    if (known !== undefined) known.want({ kind: 'gone', pod, deleted: false });
    else if (pod.annotations[REDIRECTION] !== undefined) this.#deps.annotate(pod, undefined);
  }

  /** The pod is no more. */
  recvDeleted(pod: NodePod): void {
    this.#byUid.get(pod.uid)?.want({ kind: 'gone', pod, deleted: true });
  }

  /**
   * Captures a pod in the sandbox that is being made for it; the namespace becomes the capture's. Rejects with the first
   * failure: the container runtime makes another sandbox then.
   */
  async admit(pod: NodePod, redirection: Redirection, { netns, containerId }: Sandbox): Promise<void> {
    const wish = { kind: 'captured', pod, redirection } as const;
    const known = this.#byUid.get(pod.uid);
    const capture = known ?? new PodCapture(wish, this.#options, this.#deps);
    const admitted = capture.admit(netns, containerId, wish);
    // Only now, or it would look for the namespace that it has just been given.
    if (known === undefined) this.#start(capture);
    try {
      await admitted;
    } catch (error) {
      if (capture.isIn({ netns, containerId })) capture.want({ kind: 'gone', pod, deleted: false });
      throw error;
    }
  }

  /** The runtime has taken a sandbox down; another one of the same pod may be there already. */
  sandboxGone(uid: string, sandbox: { readonly containerId: string; readonly netns: NetworkNamespace | undefined }): void {
    const known = this.#byUid.get(uid);
    if (known?.isIn(sandbox) !== true) return;
    const { pod } = known.wish;
    known.want({ kind: 'gone', pod, deleted: pod.terminating });
  }

  /** A proxy has come: what waits for one is tried again now. */
  rouse(uid: string): void {
    this.#byUid.get(uid)?.rouse();
  }

  /** Looks whether the rules of captured pods still stand, one pod after the other. */
  async verify(signal: AbortSignal): Promise<void> {
    for (const capture of this.#byUid.values()) {
      if (signal.aborted) return;
      await capture.verify(signal).catch((error: unknown) => {
        if (!signal.aborted)
          this.#deps.logger.warn('rules of a pod cannot be looked at', { uid: capture.uid, error: String(error) });
      });
    }
  }

  /** Stops work; the pods stay as they are. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
  }

  #wanted(): readonly PodCapture[] {
    return [...this.#byUid.values()].filter(({ wish }) => wish.kind === 'captured');
  }

  #start(capture: PodCapture): void {
    this.#byUid.set(capture.uid, capture);
    const running = capture.run(this.#stop.signal).finally(() => {
      this.#running.delete(running);
      if (this.#byUid.get(capture.uid) === capture) this.#byUid.delete(capture.uid);
    });
    this.#running.add(running);
  }
}
