/**
 * What the CNI plugin's calls come to (control-plane-contract section 6): a pod that belongs to the mesh is captured before its
 * first process starts, or it does not start.
 *
 * S1  who cannot be decided about is refused: the container runtime asks again.
 * S2  ADD answers when the proxy has taken over; DEL when the call has been noted.
 */
import { delay } from '@clearmesh/shared/lifecycle/clock';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Logger } from '@clearmesh/shared/observe/log';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { Captures } from '../capture/captures.ts';
import { decideEnrolment } from '../enrol/enrolment.ts';
import type { Enrolment } from '../enrol/enrolment.ts';
import type { NamespaceFinder } from '../locate/namespace-finder.ts';
import { CniError, cniCodes } from '../plugin/cni-error.ts';
import type { Grant, PodCall } from '../plugin/pod-call.ts';
import type { Redirection } from '../redirect/redirection.ts';
import type { Redirector } from '../redirect/redirector.ts';
import { KubeFailure } from '../watch/kube-api.ts';
import type { KubeApi } from '../watch/kube-api.ts';
import type { NodeView } from '../watch/node-view.ts';
import { readNamespace, readPod } from '../watch/pod-object.ts';
import type { NodePod } from '../watch/pod-object.ts';

export type PluginServiceOptions = {
  readonly excludedNamespaces: readonly string[];
  readonly systemNamespace: string;
};

export type PluginServiceDeps = {
  readonly view: Pick<NodeView, 'synced' | 'live' | 'pod' | 'namespaceLabels'>;
  readonly api: Pick<KubeApi, 'get'>;
  readonly captures: Pick<Captures, 'admit' | 'sandboxGone' | 'isCaptured'>;
  readonly finder: Pick<NamespaceFinder, 'openPath'>;
  readonly redirector: Pick<Redirector, 'inspect'>;
  readonly redirectionOf: (pod: NodePod) => Redirection;
  readonly clock: Clock;
  readonly logger: Logger;
};

/** How long a pod may take from the API to the agent, before the API is asked about it. */
const cacheTries = 10;
const cachePauseMs = 10;
const apiMs = 5_000;

export class PluginService {
  readonly #options: PluginServiceOptions;
  readonly #deps: PluginServiceDeps;

  constructor(options: PluginServiceOptions, deps: PluginServiceDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Rejects with a {@link CniError}. */
  async add(call: PodCall, signal: AbortSignal): Promise<Grant> {
    const { decision, pod } = await this.#decide(call, signal);
    if (decision.kind !== 'capture') return { inMesh: false, reason: decision.explanation };
    const finding = this.#deps.finder.openPath(call.netns, call.pid);
    if (finding.kind === 'missing') {
      throw new CniError(
        cniCodes.ioFailure,
        `the network namespace ${call.netns} of pod ${nameOf(call)} cannot be opened: ${finding.reason}`,
        'The agent must see the directory of network namespaces (mount propagation HostToContainer) or the host’s /proc.',
      );
    }
    try {
      const inSandbox: NodePod = { ...pod, podIps: call.ips };
      await this.#deps.captures.admit(inSandbox, this.#deps.redirectionOf(pod), {
        netns: finding.netns,
        containerId: call.containerId,
      });
    } catch (thrown) {
      const error = MeshError.from(thrown, 'MESH-AGENT-001');
      const code = error.code === 'MESH-REDIRECT-001' ? cniCodes.rulesFailed : cniCodes.tryAgainLater;
      throw new CniError(code, `pod ${nameOf(call)} cannot be captured: ${error.message}`, error.hint);
    }
    return { inMesh: true, reason: decision.explanation };
  }

  /** Rejects with a {@link CniError} when a pod that belongs to the mesh is not in it. */
  async check(call: PodCall, signal: AbortSignal): Promise<Grant> {
    const { decision, pod } = await this.#decide(call, signal);
    if (decision.kind !== 'capture') return { inMesh: false, reason: decision.explanation };
    const finding = this.#deps.finder.openPath(call.netns, call.pid);
    if (finding.kind === 'missing') throw amiss(call, `its network namespace cannot be opened: ${finding.reason}`);
    using netns = finding.netns;
    const { deviations } = await this.#deps.redirector.inspect(netns, this.#deps.redirectionOf(pod), signal);
    const [first] = deviations;
    if (first !== undefined) throw amiss(call, `${deviations.length} of its rules are missing, first: ${first}`);
    if (!this.#deps.captures.isCaptured(pod.uid)) throw amiss(call, 'the node proxy has not taken it over');
    return { inMesh: true, reason: decision.explanation };
  }

  /** Never rejects. */
  del(call: PodCall): void {
    const uid = call.podUid === '' ? (this.#deps.view.pod(call.podNamespace, call.podName)?.uid ?? '') : call.podUid;
    const finding = call.netns === '' ? undefined : this.#deps.finder.openPath(call.netns, call.pid);
    const netns = finding?.kind === 'found' ? finding.netns : undefined;
    this.#deps.captures.sandboxGone(uid, { containerId: call.containerId, netns });
    netns?.[Symbol.dispose]();
  }

  async #decide(call: PodCall, signal: AbortSignal): Promise<{ readonly decision: Enrolment; readonly pod: NodePod }> {
    if (!this.#deps.view.synced) {
      throw undecided(call, 'the node agent has not read its pods from the Kubernetes API yet');
    }
    const pod = await this.#lookUpPod(call, signal);
    const namespaceLabels = await this.#lookUpLabels(call, signal);
    // Its sandbox is being made: it has addresses before its object says so.
    const podIps = call.ips.length > 0 ? call.ips : ['assigned'];
    const decision = decideEnrolment({ ...pod, podIps }, { namespaceLabels, ...this.#options });
    this.#deps.logger.debug('decided about a pod', { pod: nameOf(call), decision: decision.kind, reason: decision.explanation });
    return { decision, pod };
  }

  async #lookUpPod(call: PodCall, signal: AbortSignal): Promise<NodePod> {
    const { view, clock } = this.#deps;
    for (let tries = 0; tries < cacheTries; tries++) {
      const known = view.pod(call.podNamespace, call.podName);
      if (known !== undefined && isMeant(known, call) && view.live) return known;
      await delay(clock, cachePauseMs, signal);
    }
    const path = `/api/v1/namespaces/${encodeURIComponent(call.podNamespace)}/pods/${encodeURIComponent(call.podName)}`;
    const fallback = view.pod(call.podNamespace, call.podName);
    const pod = readPod(await this.#ask(call, path, fallback !== undefined && isMeant(fallback, call), signal)) ?? fallback;
    if (pod === undefined || !isMeant(pod, call)) throw undecided(call, 'the Kubernetes API has another pod of this name');
    return pod;
  }

  async #lookUpLabels(call: PodCall, signal: AbortSignal): Promise<Readonly<Record<string, string>>> {
    const { view } = this.#deps;
    const known = view.namespaceLabels(call.podNamespace);
    if (known !== undefined && view.live) return known;
    const path = `/api/v1/namespaces/${encodeURIComponent(call.podNamespace)}`;
    const labels = readNamespace(await this.#ask(call, path, known !== undefined, signal))?.labels ?? known;
    if (labels === undefined) throw undecided(call, 'its namespace is not known');
    return labels;
  }

  /** `undefined` when the API does not answer and what was heard last will do. */
  async #ask(call: PodCall, path: string, mayFail: boolean, signal: AbortSignal): Promise<unknown> {
    const late = new AbortController();
    const cancel = this.#deps.clock.after(apiMs, () => late.abort(new KubeFailure(`no answer within ${apiMs} ms`)));
    try {
      return await this.#deps.api.get(path, AbortSignal.any([signal, late.signal]));
    } catch (error) {
      // Nobody can have changed a label meanwhile where nobody can reach the API.
      if (mayFail && error instanceof KubeFailure && (error.status ?? 500) >= 500) return undefined;
      throw undecided(call, `the Kubernetes API does not tell: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      cancel();
    }
  }
}

/** The runtime may not tell the UID. */
function isMeant(pod: NodePod, call: PodCall): boolean {
  return call.podUid === '' || pod.uid === call.podUid;
}

function undecided(call: PodCall, reason: string): CniError {
  return new CniError(
    cniCodes.tryAgainLater,
    `whether pod ${nameOf(call)} belongs to the mesh is not known: ${reason}`,
    'It does not start before that is known. See the log of the clearmesh-node-agent pod on this node; the kubelet tries again by itself.',
  );
}

function amiss(call: PodCall, reason: string): CniError {
  return new CniError(
    cniCodes.rulesMissing,
    `pod ${nameOf(call)} belongs to the mesh and is not captured: ${reason}`,
    'The node agent repairs it by itself; see its log if this stays so.',
  );
}

function nameOf({ podNamespace, podName }: PodCall): string {
  return `${podNamespace}/${podName}`;
}
