/**
 * One pod on its way into the mesh and out of it again.
 *
 *   absent ── found, labelled while it runs ──▶ running ── proxy has acknowledged, its calls redirected ──▶ joining
 *     │                                           ▲                                                        │ settled
 *     ├── ADD | it was in the mesh ──▶ placed ── rules in ──▶ ruled ── proxy has acknowledged ──▶ captured ◀─┘
 *     │                              └────────────┬────────────┘                                   │ released
 *   gone ◀── rules out ───────────────────────────┘        gone ◀── parting ◀── settled ── leaving ◀┘
 *
 * K1  order in, of a pod that starts or was in the mesh before: rules → proxy → the node's probes → annotation. It never runs
 *     uncaptured between two steps: from the first rule on its traffic goes to the proxy or is refused.
 * K2  order in, of a pod that runs outside and is labelled: proxy → what it opens is redirected → probes → annotation → time for
 *     others to learn of it → what it is sent is redirected. At every moment somebody answers, in the way the others know, so no
 *     request is lost; it takes plaintext until the end, as it did before.
 * K3  order out, while the pod runs on: what it is sent comes as it is → annotation → time for others to learn of it → nothing new
 *     is redirected → probes, proxy → its last connection through the proxy ends → rules. Of a pod that is no more the rules went
 *     with it.
 * K4  a step that fails is tried again until it works or nobody wants it any more; the container runtime's ADD is told of the
 *     first failure, since it tries again by itself, with a new namespace.
 * K5  one step at a time; a wish that changes meanwhile counts from the next step on.
 * K6  a pod that was captured by an earlier agent is in the mesh while this one starts, and while its rules are replaced by newer
 *     ones: nobody is told otherwise (C1).
 */
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import { Backoff } from '@clearmesh/shared/lifecycle/backoff';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { CaptureDeps, CaptureOptions, CaptureState, Wish } from './capture-state.ts';
import { CaptureSteps, nameOf } from './capture-steps.ts';
import type { OlderConnections } from './older-connections.ts';

/** Somebody who waits for the outcome of the attempt under way. */
type Waiter = { readonly resolve: () => void; readonly reject: (error: MeshError) => void };

/** Time for one step, milliseconds. */
const stepMs = 15_000;
const retry = { initialMs: 50, maxMs: 5_000, jitter: 0.2 } as const;
/** Failures in making the rules of a pod that runs until others are no longer kept waiting for it: some three seconds. */
const patience = 7;

export class PodCapture {
  readonly uid: string;
  readonly #deps: CaptureDeps;
  readonly #steps: CaptureSteps;
  readonly #backoff: Backoff;
  readonly #waiters = new Set<Waiter>();
  #wish: Wish;
  #state: CaptureState = { kind: 'absent' };
  #problem: string | undefined;
  #containerId: string | undefined;
  #wake = Promise.withResolvers<void>();
  #passedOnce = false;
  #failures = 0;
  /** Counts the sandboxes the pod has had: a step that was begun for an earlier one settles nothing. */
  #sandbox = 0;

  constructor(wish: Wish, options: CaptureOptions, deps: CaptureDeps) {
    this.uid = wish.pod.uid;
    this.#wish = wish;
    this.#deps = deps;
    this.#steps = new CaptureSteps(options, deps);
    this.#backoff = new Backoff(retry, { random: deps.random });
  }

  get state(): CaptureState {
    return this.#state;
  }

  get wish(): Wish {
    return this.#wish;
  }

  /** Why it is not as it should be; `undefined` when it is, or when nothing has been tried yet. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /**
   * True once it was captured, or attempts at it have failed. One failure is enough where no namespace is found or no proxy is
   * there; rules get more time: proxies learn of the pods when all are tried, a new one is ready then, and the one that has
   * served this pod ends.
   */
  get tried(): boolean {
    return this.#passedOnce || this.#state.kind === 'captured';
  }

  /** A later wish takes the earlier one's place; time to wait is over. */
  want(wish: Wish): void {
    this.#wish = wish;
    this.#rouse();
  }

  /** Tries again now, such as when a proxy has come. */
  rouse(): void {
    if (this.#problem !== undefined) this.#rouse();
  }

  /** From the container runtime: the pod has this namespace now, which becomes this object's; resolves once captured. */
  admit(netns: NetworkNamespace, containerId: string, wish: Wish): Promise<void> {
    this.#drop();
    this.#state = { kind: 'placed', netns, isNew: true };
    this.#containerId = containerId;
    this.#sandbox++;
    return new Promise((resolve, reject) => {
      this.#waiters.add({ resolve, reject });
      this.want(wish);
    });
  }

  /** Whether a DEL of this sandbox means the pod's present one. */
  isIn(sandbox: { readonly containerId: string; readonly netns: NetworkNamespace | undefined }): boolean {
    if (this.#containerId !== undefined) return this.#containerId === sandbox.containerId;
    return this.#state.kind !== 'absent' && sandbox.netns !== undefined && this.#state.netns.isSame(sandbox.netns);
  }

  /** Rules of a captured pod that are not as they have to be are put right; the pod counts as uncaptured meanwhile. */
  async verify(signal: AbortSignal): Promise<void> {
    const state = this.#state;
    if (state.kind !== 'captured') return;
    const { deviations } = await this.#deps.redirector.inspect(state.netns, state.redirection, signal);
    if (deviations.length === 0 || this.#state !== state) return;
    this.#state = { kind: 'placed', netns: state.netns, older: state.older };
    this.#rouse();
  }

  /** What it had open before its capture; `undefined` of a pod that is not captured. */
  get older(): OlderConnections | undefined {
    return this.#state.kind === 'captured' ? this.#state.older : undefined;
  }

  /** Counts that anew, where the last count is older than `maxAgeMs`. */
  countOlder(maxAgeMs: number): void {
    const state = this.#state;
    const nowMs = this.#deps.clock.monotonicMs();
    if (state.kind !== 'captured' || nowMs - state.older.countedAtMs < maxAgeMs) return;
    state.older.recvOpen(this.#deps.connectionsOf(state.netns).outside, nowMs);
  }

  /** Works until the pod is gone or the agent stops; never rejects. The namespace is let go, the rules stay (fail closed). */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const again = this.#wake.promise;
      const pauseMs = await this.#attempt(signal);
      if (pauseMs === 'gone') break;
      if (pauseMs !== 0) await this.#rest(pauseMs, again, signal);
      this.#wake = Promise.withResolvers();
    }
    this.#settleWaiters(
      new MeshError('MESH-AGENT-001', { message: `${nameOf(this.#wish.pod)} is not wanted any more, or the agent stops` }),
    );
    this.#drop();
  }

  /** One step. The time until the next one; `undefined` when there is nothing to do. */
  async #attempt(signal: AbortSignal): Promise<number | undefined | 'gone'> {
    const late = new AbortController();
    const cancel = this.#deps.clock.after(stepMs, () => late.abort(new Error(`not done within ${stepMs} ms`)));
    const sandbox = this.#sandbox;
    const state = this.#state;
    try {
      const step = await this.#steps.step(state, this.#wish, AbortSignal.any([signal, late.signal]));
      if (step.kind === 'reached') this.#become(state, step.state);
      if (step.kind === 'reached' || this.#sandbox !== sandbox) return 0;
      if (step.kind === 'wait') return step.ms;
      if (step.kind === 'gone') return this.#recvGone();
      this.#recvSettled();
      return undefined;
    } catch (error) {
      if (signal.aborted) return undefined;
      return this.#sandbox === sandbox ? this.#recvFailure(error) : 0;
    } finally {
      cancel();
    }
  }

  #recvSettled(): void {
    this.#problem = undefined;
    this.#backoff.reset();
    this.#failures = 0;
    this.#passedOnce = true;
    this.#settleWaiters();
  }

  /** Somebody may want the pod again meanwhile. */
  #recvGone(): 0 | 'gone' {
    if (this.#wish.kind !== 'captured') return 'gone';
    this.#drop();
    return 0;
  }

  /** The state may have been replaced by an ADD while a step was under way: then the step was for nothing. */
  #become(from: CaptureState, to: CaptureState): void {
    if (this.#state === from) this.#state = to;
    else if (from.kind === 'absent' && to.kind !== 'absent') to.netns[Symbol.dispose]();
  }

  #recvFailure(thrown: unknown): number {
    const error = MeshError.from(thrown, 'MESH-AGENT-001');
    const pauseMs = Math.round(this.#backoff.next());
    // Once for each reason: the same one comes again every few seconds.
    if (this.#problem !== error.message) {
      const fields = { pod: nameOf(this.#wish.pod), uid: this.uid, error: error.message, hint: error.hint, retry_ms: pauseMs };
      const what = this.#wish.kind === 'captured' ? 'pod is enrolled but not captured' : 'pod is not released yet';
      this.#deps.logger.warn(what, fields);
    }
    this.#problem = error.message;
    this.#failures++;
    this.#passedOnce ||= this.#state.kind !== 'placed' || this.#failures >= patience;
    this.#deps.onEvent('failed');
    this.#settleWaiters(error);
    return pauseMs;
  }

  async #rest(pauseMs: number | undefined, again: Promise<void>, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = pauseMs === undefined ? (): void => {} : this.#deps.clock.after(pauseMs, resolve);
    const onAbort = (): void => resolve();
    signal.addEventListener('abort', onAbort, { once: true });
    await Promise.race([again, promise]);
    signal.removeEventListener('abort', onAbort);
    cancel();
  }

  #settleWaiters(error?: MeshError): void {
    for (const { resolve, reject } of this.#waiters) {
      if (error === undefined) resolve();
      else reject(error);
    }
    this.#waiters.clear();
  }

  #rouse(): void {
    this.#wake.resolve();
  }

  #drop(): void {
    if (this.#state.kind !== 'absent') this.#state.netns[Symbol.dispose]();
    this.#state = { kind: 'absent' };
    this.#containerId = undefined;
  }
}
