/**
 * One pod on its way into the mesh and out of it again.
 *
 *   absent ── namespace found | ADD ──▶ placed ── rules in ──▶ ruled ── proxy has acknowledged ──▶ captured
 *      ▲                                   │                     │                                    │
 *      └──────────── released | gone ──────┴─────────────────────┴────────────────────────────────────┘
 *
 * K1  order in: rules → proxy → the node's probes → annotation. A pod never runs uncaptured between two steps: from the first
 *     rule on its traffic goes to the proxy or is refused.
 * K2  order out, while the pod runs on: probes → rules → proxy → annotation. Of a pod that is no more the rules went with it.
 * K3  a step that fails is tried again until it works or nobody wants it any more; the container runtime's ADD is told of the
 *     first failure, since it tries again by itself, with a new namespace.
 * K4  one step at a time; a wish that changes meanwhile counts from the next step on.
 */
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import { Backoff } from '@clearmesh/shared/lifecycle/backoff';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { Redirection } from '../redirect/redirection.ts';
import { cgroupKeys } from '../watch/pod-object.ts';
import type { NodePod } from '../watch/pod-object.ts';
import type { CaptureDeps, CaptureState, Wish } from './capture-state.ts';

/** Somebody who waits for the outcome of the attempt under way. */
type Waiter = { readonly resolve: () => void; readonly reject: (error: MeshError) => void };

/** Time for one step, milliseconds. */
const stepMs = 15_000;
const retry = { initialMs: 50, maxMs: 5_000, jitter: 0.2 } as const;

export class PodCapture {
  readonly uid: string;
  readonly #deps: CaptureDeps;
  readonly #backoff: Backoff;
  readonly #waiters = new Set<Waiter>();
  #wish: Wish;
  #state: CaptureState = { kind: 'absent' };
  #problem: string | undefined;
  #containerId: string | undefined;
  #wake = Promise.withResolvers<void>();
  #passedOnce = false;
  /** Counts the sandboxes the pod has had: a step that was begun for an earlier one settles nothing. */
  #sandbox = 0;

  constructor(wish: Wish, deps: CaptureDeps) {
    this.uid = wish.pod.uid;
    this.#wish = wish;
    this.#deps = deps;
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

  /** True once it was captured, or an attempt at it has failed. */
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
    this.#state = { kind: 'placed', netns };
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

  /** Rules that went missing from a captured pod are put back; the pod counts as uncaptured meanwhile. */
  async verify(signal: AbortSignal): Promise<void> {
    const state = this.#state;
    if (state.kind !== 'captured') return;
    const missing = await this.#deps.redirector.missing(state.netns, state.redirection, signal);
    if (missing.length === 0 || this.#state !== state) return;
    this.#reportMissing(missing);
    this.#state = { kind: 'placed', netns: state.netns };
    this.#rouse();
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
    const wish = this.#wish;
    try {
      const next = await this.#step(wish, AbortSignal.any([signal, late.signal]));
      if (next === 'again' || this.#sandbox !== sandbox) return 0;
      if (next === 'gone') return this.#recvGone(wish);
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
    this.#passedOnce = true;
    this.#settleWaiters();
  }

  /** Somebody may want the pod again meanwhile. */
  #recvGone(wish: Wish): 0 | 'gone' {
    if (this.#wish === wish) return 'gone';
    this.#drop();
    return 0;
  }

  async #step(wish: Wish, signal: AbortSignal): Promise<'again' | 'settled' | 'gone'> {
    switch (wish.kind) {
      case 'captured':
        return this.#stepIn(wish, signal);
      case 'released':
        return this.#release(wish.pod, signal);
      case 'gone':
        return this.#forget(wish, signal);
    }
  }

  async #stepIn(wish: Extract<Wish, { readonly kind: 'captured' }>, signal: AbortSignal): Promise<'again' | 'settled'> {
    const state = this.#state;
    const { pod, redirection } = wish;
    switch (state.kind) {
      case 'absent':
        return this.#become(state, { kind: 'placed', netns: await this.#find(pod) });
      case 'placed':
        await this.#installRules(state.netns, redirection, signal);
        return this.#become(state, { kind: 'ruled', netns: state.netns, redirection });
      case 'ruled': {
        if (!equal(state.redirection, redirection)) return this.#become(state, { kind: 'placed', netns: state.netns });
        await this.#handOver(pod, state.netns);
        const ips = pod.podIps;
        await this.#deps.probes.add(this.uid, ips, signal);
        this.#become(state, { kind: 'captured', netns: state.netns, redirection, ips });
        this.#deps.onEvent('captured');
        this.#deps.logger.info('pod captured', { pod: nameOf(pod), uid: this.uid });
        return 'again';
      }
      case 'captured':
        if (!equal(state.redirection, redirection)) return this.#become(state, { kind: 'placed', netns: state.netns });
        if (!equal(state.ips, pod.podIps)) {
          await this.#deps.probes.add(this.uid, pod.podIps, signal);
          return this.#become(state, { ...state, ips: pod.podIps });
        }
        this.#deps.annotate(pod, 'enabled');
        return 'settled';
    }
  }

  /** The state may have been replaced by an ADD while a step was under way: then the step was for nothing. */
  #become(from: CaptureState, to: CaptureState): 'again' {
    if (this.#state === from) this.#state = to;
    else if (from.kind === 'absent' && to.kind !== 'absent') to.netns[Symbol.dispose]();
    return 'again';
  }

  async #find(pod: NodePod): Promise<NetworkNamespace> {
    const finding = await this.#deps.finder.find({ keys: cgroupKeys(pod), ips: pod.podIps });
    if (finding.kind === 'found') return finding.netns;
    throw new MeshError('MESH-AGENT-001', { message: `the network namespace of ${nameOf(pod)} is not found: ${finding.reason}` });
  }

  /** Rules of an earlier agent that are as they have to be are left alone: putting them anew holds up new connections. */
  async #installRules(netns: NetworkNamespace, redirection: Redirection, signal: AbortSignal): Promise<void> {
    const missing = await this.#deps.redirector.missing(netns, redirection, signal);
    if (missing.length === 0) return;
    // What an annotation says of a pod without its rules is not true: a node that was restarted, or somebody's hand.
    if (this.#wish.pod.annotations[REDIRECTION] === 'enabled') {
      this.#reportMissing(missing);
      this.#deps.annotate(this.#wish.pod, 'pending');
    }
    await this.#deps.redirector.install(netns, redirection, signal);
  }

  #reportMissing(missing: readonly string[]): void {
    const [first = ''] = missing;
    this.#deps.onEvent('repaired');
    this.#deps.logger.warn('pod is enrolled but was not captured, its rules are made anew [MESH-AGENT-001]', {
      pod: nameOf(this.#wish.pod),
      missing: missing.length,
      first,
    });
  }

  async #handOver(pod: NodePod, netns: NetworkNamespace): Promise<void> {
    const { uid, name, namespace, serviceAccount } = pod;
    const outcome = await this.#deps.handover.addPod({ uid, name, namespace, serviceAccount, netns });
    if (outcome.kind === 'acked') return;
    this.#deps.annotate(pod, 'pending');
    const reasons = { 'no-proxy': 'no ztunnel is connected', withdrawn: 'it was replaced' } as const;
    const reason = 'reason' in outcome ? outcome.reason : reasons[outcome.kind];
    throw new MeshError('MESH-AGENT-001', {
      message: `the node proxy has not taken over ${nameOf(pod)}: ${reason}`,
      hint: 'See the ztunnel pod of this node and its log. The pod’s traffic is refused until the proxy has it.',
    });
  }

  async #release(pod: NodePod, signal: AbortSignal): Promise<'again' | 'gone'> {
    const { probes, redirector, handover, annotate, finder, onEvent, logger } = this.#deps;
    const state = this.#state;
    if (state.kind === 'absent') {
      // An earlier agent may have left rules in it; one that cannot be found has ended.
      const finding = await finder.find({ keys: cgroupKeys(pod), ips: pod.podIps });
      if (finding.kind === 'found') return this.#become(state, { kind: 'placed', netns: finding.netns });
      annotate(pod, undefined);
      return 'gone';
    }
    await probes.remove(this.uid, signal);
    await redirector.remove(state.netns, signal);
    await handover.removePod(this.uid);
    annotate(pod, undefined);
    onEvent('released');
    logger.info('pod released', { pod: nameOf(pod), uid: this.uid });
    return 'gone';
  }

  async #forget({ pod, deleted }: Extract<Wish, { readonly kind: 'gone' }>, signal: AbortSignal): Promise<'gone'> {
    await this.#deps.probes.remove(this.uid, signal);
    await this.#deps.handover.removePod(this.uid);
    if (!deleted) this.#deps.annotate(pod, undefined);
    return 'gone';
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
    this.#passedOnce = true;
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

export const REDIRECTION = 'ambient.istio.io/redirection';

function nameOf(pod: NodePod): string {
  return `${pod.namespace}/${pod.name}`;
}

/** Plain data, made in one place: equal texts are equal values. */
function equal(left: unknown, right: unknown): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}
