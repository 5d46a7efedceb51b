/** Capture by the node agent: redirection rules in the pod, then the pod's namespace into the hands of its node's proxy. */
import { NetworkNamespace } from '@clearmesh/linux/netns';
import type { HandoverServer } from '@clearmesh/node-agent/handover/handover-server';
import type { Redirector } from '@clearmesh/node-agent/redirect/redirector';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { Capture, CapturedPod } from './capture.ts';

export type NodeCaptureDeps = {
  readonly redirector: Pick<Redirector, 'install' | 'remove'>;
  /** By node name. */
  readonly handovers: ReadonlyMap<string, Pick<HandoverServer, 'addPod' | 'removePod' | 'proxyReady'>>;
};

export class NodeCapture implements Capture {
  readonly #deps: NodeCaptureDeps;

  constructor(deps: NodeCaptureDeps) {
    this.#deps = deps;
  }

  async capture(pod: CapturedPod, signal: AbortSignal): Promise<void> {
    using netns = NetworkNamespace.open(pod.namespacePath);
    await this.#deps.redirector.install(netns, pod.redirection, signal);
    const handover = this.#handover(pod.node);
    // Also when it was there a moment ago: only a proxy that has its snapshot can be told of one pod more.
    await handover.proxyReady(signal);
    const outcome = await handover.addPod({ ...pod, netns });
    if (outcome.kind === 'acked') return;
    const reason = 'reason' in outcome ? outcome.reason : outcome.kind;
    throw new MeshError('MESH-ZDS-001', {
      message: `the proxy of ${pod.node} did not take over pod ${pod.namespace}/${pod.name}: ${reason}`,
    });
  }

  async release(pod: CapturedPod, signal: AbortSignal): Promise<void> {
    using netns = NetworkNamespace.open(pod.namespacePath);
    await this.#handover(pod.node).removePod(pod.uid);
    await this.#deps.redirector.remove(netns, signal);
  }

  #handover(node: string): Pick<HandoverServer, 'addPod' | 'removePod' | 'proxyReady'> {
    const handover = this.#deps.handovers.get(node);
    if (handover === undefined) throw new MeshError('MESH-INTERNAL-001', { message: `no node agent for node ${node}` });
    return handover;
  }
}
