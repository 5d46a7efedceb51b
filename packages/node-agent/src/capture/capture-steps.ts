/**
 * What is done to a pod to bring it one state further, into the mesh or out of it. Each step says what came of it and changes
 * no state itself; one that cannot be done rejects, and is done again from the same state.
 *
 *   into the mesh, asked for while it runs:  absent → running → joining → captured
 *   otherwise, or where rules are found:     absent → placed → ruled → captured
 *   out of it, while it runs on:             captured | joining → leaving → parting → gone
 *
 * C1  A pod that others know as captured stays so for them until it is released, whatever becomes of its rules or of the proxy:
 *     they would send it plaintext otherwise. What cannot be delivered meanwhile is refused.
 */
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { Redirection } from '../redirect/redirection.ts';
import { cgroupKeys } from '../watch/pod-object.ts';
import type { NodePod } from '../watch/pod-object.ts';
import type { AddOutcome, CaptureDeps, CaptureOptions, CaptureState, Wish } from './capture-state.ts';
import { OlderConnections } from './older-connections.ts';

/** What came of a step. */
export type Step =
  | { readonly kind: 'reached'; readonly state: CaptureState }
  /** Nothing to do for so long, milliseconds. */
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'settled' }
  /** The pod is out, or no more. */
  | { readonly kind: 'gone' };

type Captured = Extract<Wish, { readonly kind: 'captured' }>;
type State<Kind extends CaptureState['kind']> = Extract<CaptureState, { readonly kind: Kind }>;

/** Between two looks whether the last connection has ended, milliseconds. */
const lookMs = 1_000;

export class CaptureSteps {
  readonly #options: Required<CaptureOptions>;
  readonly #deps: CaptureDeps;

  constructor(options: CaptureOptions, deps: CaptureDeps) {
    this.#options = { settleMs: 1_000, partMs: 660_000, ...options };
    this.#deps = deps;
  }

  /** One step towards what is wished. */
  step(state: CaptureState, wish: Wish, signal: AbortSignal): Promise<Step> {
    switch (wish.kind) {
      case 'captured':
        return this.#stepIn(state, wish, signal);
      case 'released':
        return this.#stepOut(state, wish.pod, signal);
      case 'gone':
        return this.#forget(wish, signal);
    }
  }

  async #stepIn(state: CaptureState, wish: Captured, signal: AbortSignal): Promise<Step> {
    const { pod, redirection } = wish;
    switch (state.kind) {
      case 'absent':
        return this.#place(pod, signal);
      case 'running':
        return this.#join(state.netns, wish, signal);
      case 'joining':
        if (!equal(state.redirection, redirection)) return reached({ kind: 'running', netns: state.netns });
        return this.#complete(state, wish, signal);
      case 'placed':
        return this.#rule(state, wish, signal);
      case 'ruled':
        return this.#deliver(state, wish, signal);
      case 'captured':
        return this.#keep(state, wish, signal);
      case 'leaving':
      case 'parting':
        return reached({ kind: 'running', netns: state.netns });
    }
  }

  async #place(pod: NodePod, signal: AbortSignal): Promise<Step> {
    const finding = await this.#deps.finder.find({ keys: cgroupKeys(pod), ips: pod.podIps });
    if (finding.kind === 'missing') {
      const message = `the network namespace of ${nameOf(pod)} is not found: ${finding.reason}`;
      throw new MeshError('MESH-AGENT-001', { message });
    }
    const { netns } = finding;
    try {
      // An annotation or rules of an earlier agent: it was in the mesh, and must not take plaintext again.
      const isNew = pod.annotations[REDIRECTION] === undefined && !(await this.#deps.redirector.hasBegun(netns, signal));
      return reached({ kind: isNew ? 'running' : 'placed', netns });
    } catch (error) {
      netns[Symbol.dispose]();
      throw error;
    }
  }

  /** K2. */
  async #join(netns: NetworkNamespace, { pod, redirection }: Captured, signal: AbortSignal): Promise<Step> {
    const { redirector, probes, annotate, clock, connectionsOf } = this.#deps;
    const { outside, direct, proxied } = connectionsOf(netns);
    // Where the proxy serves the pod already, its own connections cannot be told from what the pod has opened.
    const older = new OlderConnections(proxied === 0 ? outside : direct, clock.monotonicMs());
    const outcome = await this.#handOver(pod, netns);
    if (outcome.kind !== 'acked') throw notTaken(pod, outcome);
    await redirector.install(netns, outwards(redirection), signal, 'open');
    await probes.add(pod.uid, pod.podIps, signal);
    annotate(pod, 'enabled');
    const dueMs = clock.monotonicMs() + this.#options.settleMs;
    return reached({ kind: 'joining', netns, redirection, ips: pod.podIps, older, dueMs });
  }

  async #complete(state: State<'joining'>, { pod, redirection }: Captured, signal: AbortSignal): Promise<Step> {
    const restMs = state.dueMs - this.#deps.clock.monotonicMs();
    if (restMs > 0) return { kind: 'wait', ms: restMs };
    const { netns, ips, older } = state;
    if (redirection.inboundCapture !== false) {
      await this.#deps.redirector.install(netns, redirection, signal, 'open');
      older.add(this.#deps.connectionsOf(netns).direct);
    }
    this.#announce(pod, { plaintext_connections: older.count });
    return reached({ kind: 'captured', netns, redirection, ips, older });
  }

  #announce(pod: NodePod, fields: Readonly<Record<string, number>>): void {
    this.#deps.onEvent('captured');
    this.#deps.logger.info('pod captured', { pod: nameOf(pod), uid: pod.uid, ...fields });
  }

  async #keep(state: State<'captured'>, { pod, redirection }: Captured, signal: AbortSignal): Promise<Step> {
    if (!equal(state.redirection, redirection)) {
      await this.#deps.redirector.install(state.netns, redirection, signal);
      if (redirection.inboundCapture !== false) state.older.add(this.#deps.connectionsOf(state.netns).direct);
      return reached({ ...state, redirection });
    }
    if (!equal(state.ips, pod.podIps)) {
      await this.#deps.probes.add(pod.uid, pod.podIps, signal);
      return reached({ ...state, ips: pod.podIps });
    }
    this.#deps.annotate(pod, 'enabled');
    return { kind: 'settled' };
  }

  /**
   * Rules of an earlier agent that are as they have to be are left alone. Others that capture the pod all the same stay until the
   * new ones take their place, and it is in the mesh all the time, so nobody is told otherwise.
   */
  async #rule({ netns, older, isNew }: State<'placed'>, { pod, redirection }: Captured, signal: AbortSignal): Promise<Step> {
    const { redirector } = this.#deps;
    const { deviations, captures } = await redirector.inspect(netns, redirection, signal);
    if (deviations.length > 0) {
      // A node that was restarted, another version, or somebody's hand.
      if (older !== undefined || (isKnownAsCaptured(pod) && isNew !== true)) this.#reportDeviations(pod, deviations, captures);
      await redirector.install(netns, redirection, signal);
    }
    return reached({ kind: 'ruled', netns, redirection, older });
  }

  #reportDeviations(pod: NodePod, deviations: readonly string[], captures: boolean): void {
    const [first = ''] = deviations;
    this.#deps.onEvent(captures ? 'updated' : 'repaired');
    const what = captures
      ? 'pod is captured by rules of another version, or by changed ones; they are replaced'
      : 'pod is enrolled but was not captured, its rules are made anew [MESH-AGENT-001]';
    this.#deps.logger.warn(what, { pod: nameOf(pod), rules: deviations.length, first });
  }

  async #deliver(state: State<'ruled'>, { pod, redirection }: Captured, signal: AbortSignal): Promise<Step> {
    const { netns, older } = state;
    const { annotate, probes, clock, connectionsOf } = this.#deps;
    if (!equal(state.redirection, redirection)) return reached({ kind: 'placed', netns, older });
    const outcome = await this.#handOver(pod, netns);
    if (outcome.kind !== 'acked') {
      // C1.
      if (older === undefined && !isKnownAsCaptured(pod)) annotate(pod, 'pending');
      throw notTaken(pod, outcome);
    }
    await probes.add(pod.uid, pod.podIps, signal);
    const known = older ?? new OlderConnections(connectionsOf(netns).direct, clock.monotonicMs());
    this.#announce(pod, known.count === 0 ? {} : { plaintext_connections: known.count });
    return reached({ kind: 'captured', netns, redirection, ips: pod.podIps, older: known });
  }

  #handOver({ uid, name, namespace, serviceAccount }: NodePod, netns: NetworkNamespace): Promise<AddOutcome> {
    return this.#deps.handover.addPod({ uid, name, namespace, serviceAccount, netns });
  }

  async #stepOut(state: CaptureState, pod: NodePod, signal: AbortSignal): Promise<Step> {
    switch (state.kind) {
      case 'absent': {
        // An earlier agent may have left rules in it; one that cannot be found has ended.
        const finding = await this.#deps.finder.find({ keys: cgroupKeys(pod), ips: pod.podIps });
        if (finding.kind === 'found') return reached({ kind: 'placed', netns: finding.netns });
        this.#deps.annotate(pod, undefined);
        return { kind: 'gone' };
      }
      case 'running':
      case 'placed':
      case 'ruled':
        await this.#deps.probes.remove(pod.uid, signal);
        await this.#deps.redirector.remove(state.netns, signal);
        await this.#deps.handover.removePod(pod.uid);
        this.#announceRelease(pod, {});
        return { kind: 'gone' };
      case 'joining':
      case 'captured':
        return this.#leave(state, pod, signal);
      case 'leaving':
        return this.#part(state, pod, signal);
      case 'parting':
        return this.#end(state, signal);
    }
  }

  /** K3. Pending: others send it no tunnels any more, and an agent that starts meanwhile knows that it has to finish this. */
  async #leave({ netns, redirection }: State<'joining' | 'captured'>, pod: NodePod, signal: AbortSignal): Promise<Step> {
    await this.#deps.redirector.install(netns, outwards(redirection), signal, 'open');
    this.#deps.annotate(pod, 'pending');
    return reached({ kind: 'leaving', netns, redirection, dueMs: this.#deps.clock.monotonicMs() + this.#options.settleMs });
  }

  async #part({ netns, redirection, dueMs }: State<'leaving'>, pod: NodePod, signal: AbortSignal): Promise<Step> {
    const { redirector, probes, handover, clock, connectionsOf } = this.#deps;
    const restMs = dueMs - clock.monotonicMs();
    if (restMs > 0) return { kind: 'wait', ms: restMs };
    await redirector.install(netns, { ...redirection, inboundCapture: false, outboundCapture: false }, signal, 'open');
    await probes.remove(pod.uid, signal);
    await handover.removePod(pod.uid);
    this.#announceRelease(pod, { open_connections: connectionsOf(netns).proxied });
    return reached({ kind: 'parting', netns, dueMs: clock.monotonicMs() + this.#options.partMs });
  }

  #announceRelease(pod: NodePod, fields: Readonly<Record<string, number>>): void {
    this.#deps.annotate(pod, undefined);
    this.#deps.onEvent('released');
    this.#deps.logger.info('pod released', { pod: nameOf(pod), uid: pod.uid, ...fields });
  }

  /** Without the rules what goes through the proxy would be cut off. */
  async #end({ netns, dueMs }: State<'parting'>, signal: AbortSignal): Promise<Step> {
    const isOver = this.#deps.clock.monotonicMs() >= dueMs || this.#deps.connectionsOf(netns).proxied === 0;
    if (!isOver) return { kind: 'wait', ms: lookMs };
    await this.#deps.redirector.remove(netns, signal);
    return { kind: 'gone' };
  }

  async #forget({ pod, deleted }: Extract<Wish, { readonly kind: 'gone' }>, signal: AbortSignal): Promise<Step> {
    await this.#deps.probes.remove(pod.uid, signal);
    await this.#deps.handover.removePod(pod.uid);
    if (!deleted) this.#deps.annotate(pod, undefined);
    return { kind: 'gone' };
  }
}

export const REDIRECTION = 'ambient.istio.io/redirection';

export function nameOf(pod: NodePod): string {
  return `${pod.namespace}/${pod.name}`;
}

/** C1. */
function isKnownAsCaptured(pod: NodePod): boolean {
  return pod.annotations[REDIRECTION] === 'enabled';
}

function notTaken(pod: NodePod, outcome: Exclude<AddOutcome, { readonly kind: 'acked' }>): MeshError {
  const reasons = { 'no-proxy': 'no ztunnel is connected', withdrawn: 'it was replaced' } as const;
  const reason = 'reason' in outcome ? outcome.reason : reasons[outcome.kind];
  return new MeshError('MESH-AGENT-001', {
    message: `the node proxy has not taken over ${nameOf(pod)}: ${reason}`,
    hint: 'See the ztunnel pod of this node and its log.',
  });
}

function reached(state: CaptureState): Step {
  return { kind: 'reached', state };
}

/** What it opens goes through the proxy, and it takes what comes. */
function outwards(redirection: Redirection): Redirection {
  return { ...redirection, inboundCapture: false };
}

/** Plain data, made in one place: equal texts are equal values. */
function equal(left: unknown, right: unknown): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}
