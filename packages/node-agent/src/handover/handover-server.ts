/**
 * Hands pods to the node proxy (ZDS, l4-contract section 5): the agent listens, proxies dial.
 *
 * H1  a proxy that says hello gets every enrolled pod, then SnapshotSent, then changes as they come.
 * H2  during an upgrade two proxies are connected: Adds go to the newest, Dels to all.
 * H3  if the newest leaves while an older one still serves, that one gets the pods it has missed.
 * H4  the pods stay known while no proxy is connected; the next one gets them in its snapshot.
 * H5  while it is held, proxies are welcome and told nothing: a proxy drops what its first snapshot does not mention, so an
 *     agent that starts again on a node with pods finds these first.
 */
import { listenSeqpacket } from '@clearmesh/linux/seqpacket';
import type { SeqpacketConnection, SeqpacketListener } from '@clearmesh/linux/seqpacket';
import { delay } from '@clearmesh/shared/lifecycle/clock';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Logger } from '@clearmesh/shared/observe/log';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { Pace } from './accept-pace.ts';
import { EnrolledPods, addRequest } from './enrolled-pods.ts';
import type { EnrolledPod } from './enrolled-pods.ts';
import { ProxyConnection } from './proxy-connection.ts';
import type { Delivery } from './proxy-connection.ts';

/** What became of a pod's hand-over. `no-proxy`: none is connected, and the pod waits for the next one's snapshot. */
export type AddOutcome = Delivery | { readonly kind: 'no-proxy' } | { readonly kind: 'rejected'; readonly reason: string };

export type HandoverOptions = {
  /** Where to listen, such as /var/run/ztunnel/ztunnel.sock; its directory must exist. At most 107 bytes. */
  readonly path: string;
  /** @default 5000 */
  readonly helloDeadlineMs?: number;
  /** @default 5000 */
  readonly ackDeadlineMs?: number;
  /** @default 2000 */
  readonly maxPods?: number;
  /** Proxies connected at once; more are turned away. @default 8 */
  readonly maxProxies?: number;
};

export type HandoverDeps = {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told of every Add that was answered or lost, those of snapshots included. */
  readonly onOutcome?: (uid: string, outcome: Delivery) => void;
  /** Pods that belong to the mesh and cannot be handed over yet: a proxy that serves them shall go on. */
  readonly undelivered?: () => readonly string[];
};

type Proxy = {
  readonly connection: ProxyConnection;
  /** UIDs sent or queued, of pods as they are now. */
  readonly given: Set<string>;
  /** Held: it waits for its snapshot (H5). */
  phase: 'held' | 'snapshot' | 'steady';
};

const defaults = { helloDeadlineMs: 5000, ackDeadlineMs: 5000, maxPods: 2000, maxProxies: 8 } as const;
const MAX_ACCEPTS = { limit: 5, windowMs: 1000 } as const;
const AFTER_FAULT_MS = 1000;

export class HandoverServer implements AsyncDisposable {
  readonly #options: Required<HandoverOptions>;
  readonly #deps: HandoverDeps;
  readonly #pods: EnrolledPods;
  readonly #stop = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #awaitingReady = new Set<() => void>();
  readonly #listener: SeqpacketListener;
  #isHeld: boolean;
  /** In the order they said hello: the last one is the newest. */
  #proxies: readonly Proxy[] = [];
  #greeting = 0;

  private constructor(options: Required<HandoverOptions>, isHeld: boolean, deps: HandoverDeps) {
    this.#options = options;
    this.#isHeld = isHeld;
    this.#deps = deps;
    this.#pods = new EnrolledPods({ maxPods: options.maxPods });
    this.#listener = listenAt(options.path);
    this.#track(this.#acceptAll(this.#listener, this.#stop.signal));
  }

  /** Listens and serves until disposed of. */
  static listen(options: HandoverOptions, deps: HandoverDeps): HandoverServer {
    return new HandoverServer({ ...defaults, ...options }, false, deps);
  }

  /** Listens and takes pods at once; proxies get their snapshot from {@link open} on. */
  static hold(options: HandoverOptions, deps: HandoverDeps): HandoverServer {
    return new HandoverServer({ ...defaults, ...options }, true, deps);
  }

  /** The pods of the node are known: proxies that wait get them now. */
  open(): void {
    if (this.#stop.signal.aborted || !this.#isHeld) return;
    this.#isHeld = false;
    for (const proxy of this.#proxies) this.#sendSnapshot(proxy);
  }

  /** How many proxies are connected and said hello. */
  get proxies(): number {
    return this.#proxies.filter(({ connection }) => connection.greeted).length;
  }

  /** Resolves once the newest proxy has acknowledged its whole snapshot. */
  proxyReady(signal: AbortSignal): Promise<void> {
    if (this.#isReady()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const onReady = (): void => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      const onAbort = (): void => {
        this.#awaitingReady.delete(onReady);
        reject(signal.reason);
      };
      this.#awaitingReady.add(onReady);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Enrols a pod and hands it to the newest proxy; calling it again for a pod that is handed over does no harm. */
  async addPod(pod: EnrolledPod): Promise<AddOutcome> {
    if (this.#stop.signal.aborted) return { kind: 'no-proxy' };
    this.#withdraw(pod.uid);
    const admission = this.#pods.keep(pod);
    if (admission.kind === 'rejected') return admission;
    const newest = this.#newest();
    return newest === undefined ? { kind: 'no-proxy' } : this.#give(newest, admission.pod);
  }

  /** Forgets a pod; resolves when every connected proxy let go of it or its connection ended. */
  async removePod(uid: string): Promise<void> {
    this.#withdraw(uid);
    this.#pods.forget(uid);
    await Promise.all(this.#proxies.filter(({ phase }) => phase !== 'held').map((proxy) => this.#take(proxy, uid)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#listener[Symbol.asyncDispose]();
    await Promise.all(this.#running);
    this.#pods[Symbol.dispose]();
  }

  async #acceptAll(listener: SeqpacketListener, signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#deps;
    const pace = new Pace(MAX_ACCEPTS);
    while (!signal.aborted) {
      try {
        const connection = await listener.accept(signal);
        if (connection === undefined) return;
        this.#admit(connection, signal);
        const restMs = pace.count(clock.monotonicMs());
        if (restMs > 0) await delay(clock, restMs, signal);
      } catch (error) {
        if (signal.aborted) return;
        // Such as EMFILE: the dialling proxy stays in the backlog meanwhile.
        logger.error('cannot accept a node proxy, trying again', { error: String(error), retry_ms: AFTER_FAULT_MS });
        await delay(clock, AFTER_FAULT_MS, signal).catch(() => {});
      }
    }
  }

  #admit(connection: SeqpacketConnection, signal: AbortSignal): void {
    const connected = this.#proxies.length + this.#greeting;
    if (connected >= this.#options.maxProxies) {
      this.#deps.logger.warn('node proxy turned away', { connected });
      return void connection[Symbol.asyncDispose]();
    }
    this.#track(this.#serve(connection, signal));
  }

  async #serve(accepted: SeqpacketConnection, signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#deps;
    const { helloDeadlineMs, ackDeadlineMs, maxPods } = this.#options;
    this.#greeting++;
    const onHello = (): void => this.#recvHello(proxy);
    // Each pod can be added and removed once while the proxy is busy with one request, and as many named without a namespace.
    const limits = { helloDeadlineMs, ackDeadlineMs, maxQueue: 3 * maxPods + 1 };
    const connection = new ProxyConnection(limits, { connection: accepted, clock, onHello });
    const proxy: Proxy = { connection, given: new Set(), phase: 'held' };
    const reason = await connection.run(signal);
    if (this.#proxies.includes(proxy)) this.#recvEnd(proxy);
    else this.#greeting--;
    logger.info('node proxy disconnected', { reason, connected: this.proxies });
  }

  #recvHello(proxy: Proxy): void {
    this.#greeting--;
    this.#proxies = [...this.#proxies, proxy];
    this.#deps.logger.info('node proxy connected', { connected: this.proxies, pods: this.#pods.size });
    if (!this.#isHeld) this.#sendSnapshot(proxy);
  }

  #sendSnapshot(proxy: Proxy): void {
    proxy.phase = 'snapshot';
    this.#giveMissing(proxy);
    for (const uid of this.#deps.undelivered?.() ?? []) {
      if (!proxy.given.has(uid)) proxy.connection.enqueue({ request: { kind: 'keep', uid }, settle: () => {} });
    }
    proxy.connection.enqueue({
      request: { kind: 'snapshotSent' },
      settle: (delivery) => this.#recvSnapshotAnswer(proxy, delivery),
    });
  }

  #recvSnapshotAnswer(proxy: Proxy, delivery: Delivery): void {
    if (delivery.kind === 'refused') return proxy.connection.close(`it refused the snapshot: ${delivery.reason}`);
    if (delivery.kind !== 'acked') return;
    proxy.phase = 'steady';
    this.#announceReady();
  }

  #isReady(): boolean {
    return this.#newest()?.phase === 'steady';
  }

  #newest(): Proxy | undefined {
    return this.#proxies.findLast(({ connection, phase }) => connection.greeted && phase !== 'held');
  }

  #announceReady(): void {
    if (!this.#isReady()) return;
    for (const onReady of this.#awaitingReady) onReady();
    this.#awaitingReady.clear();
  }

  #recvEnd(proxy: Proxy): void {
    this.#proxies = this.#proxies.filter((each) => each !== proxy);
    const newest = this.#newest();
    if (newest === undefined || this.#stop.signal.aborted) return;
    this.#giveMissing(newest);
    this.#announceReady();
  }

  #giveMissing(proxy: Proxy): void {
    for (const pod of this.#pods.all()) if (!proxy.given.has(pod.uid)) void this.#give(proxy, pod);
  }

  #give(proxy: Proxy, pod: EnrolledPod): Promise<Delivery> {
    proxy.given.add(pod.uid);
    return new Promise((resolve) => {
      const settle = (delivery: Delivery): void => {
        if (delivery.kind === 'refused')
          this.#deps.logger.warn('node proxy refused a pod', { uid: pod.uid, reason: delivery.reason });
        this.#deps.onOutcome?.(pod.uid, delivery);
        resolve(delivery);
      };
      proxy.connection.enqueue({ request: addRequest(pod), netns: pod.netns, settle });
    });
  }

  #take(proxy: Proxy, uid: string): Promise<Delivery> {
    return new Promise((resolve) => proxy.connection.enqueue({ request: { kind: 'del', uid }, settle: resolve }));
  }

  /** Before a namespace is disposed of, no queued request may name it; and no proxy has the pod's next one yet. */
  #withdraw(uid: string): void {
    for (const { connection, given } of this.#proxies) {
      given.delete(uid);
      connection.withdraw(uid);
    }
  }

  #track(task: Promise<void>): void {
    this.#running.add(task);
    void task.finally(() => this.#running.delete(task));
  }
}

function listenAt(path: string): SeqpacketListener {
  try {
    return listenSeqpacket(path);
  } catch (cause) {
    throw new MeshError('MESH-CONFIG-003', {
      message: `cannot listen on ${path}: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: 'The directory must exist and be writable: a hostPath volume of type DirectoryOrCreate.',
      cause,
    });
  }
}
