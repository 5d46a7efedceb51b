/**
 * The pods of a node: each is captured or released as its own labels and its namespace's say, and annotated with how far it is.
 *
 * N1  what an annotation says is not believed: after a start every enrolled pod's rules are looked at, made where they lack, and
 *     replaced where they are others than this version's.
 * N2  `onTried` is told once: the API has named the pods, and each that belongs to the mesh was captured or an attempt at it failed.
 */
import { delay } from '@clearmesh/shared/lifecycle/clock';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Logger } from '@clearmesh/shared/observe/log';
import { decideEnrolment } from '../enrol/enrolment.ts';
import type { ProbeSources } from '../probe/probe-backend.ts';
import type { Redirection } from '../redirect/redirection.ts';
import { Annotator } from '../watch/annotator.ts';
import type { KubeApi } from '../watch/kube-api.ts';
import { NodeView } from '../watch/node-view.ts';
import type { PodInNamespace } from '../watch/node-view.ts';
import type { NodePod } from '../watch/pod-object.ts';
import type { CaptureDeps, CaptureEvent } from './capture-state.ts';
import { Captures } from './captures.ts';
import { podConnections } from './pod-connections.ts';
import { PodRedirections } from './pod-redirections.ts';

export type NodePodsOptions = {
  /** Where the mesh itself lives. */
  readonly systemNamespace: string;
  readonly excludedNamespaces: readonly string[];
  readonly ipv6: boolean;
  readonly sources: ProbeSources;
  /** Whether pods that say nothing about it ask ztunnel for names, which must have its DNS proxy on. */
  readonly dnsCapture: boolean;
  /** Between two looks at the rules of captured pods, milliseconds. */
  readonly verifyMs: number;
  /** How long others have to learn that a running pod joins or leaves, milliseconds. */
  readonly settleMs: number;
};

export type NodePodsDeps = Pick<CaptureDeps, 'finder' | 'redirector' | 'handover' | 'probes'> & {
  readonly api: Pick<KubeApi, 'mergePatch'>;
  /** Told of every step of a capture that changed something, and of every failure. */
  readonly onEvent: (event: CaptureEvent) => void;
  /** The API has named pods and namespaces. */
  readonly onSynced: () => void;
  readonly onTried: () => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
};

export class NodePods implements AsyncDisposable {
  /** What the API tells goes in here. */
  readonly view: NodeView;
  readonly captures: Captures;
  readonly #options: NodePodsOptions;
  readonly #deps: NodePodsDeps;
  readonly #redirections: PodRedirections;
  readonly #annotator: Annotator;
  #wereTried = false;

  constructor(options: NodePodsOptions, deps: NodePodsDeps) {
    const { api, clock, random, logger } = deps;
    const { ipv6, sources, dnsCapture } = options;
    this.#options = options;
    this.#deps = deps;
    this.#redirections = new PodRedirections(
      { ipv6, dnsCapture, probeV4: sources.v4, probeV6: sources.v6 },
      { logger: logger.scope('capture') },
    );
    this.#annotator = new Annotator({ api, clock, random, logger: logger.scope('kubernetes') });
    this.captures = this.#makeCaptures();
    this.view = new NodeView({
      onPod: (subject) => this.#recvPod(subject),
      onGone: (pod) => this.#recvGone(pod),
      onSynced: () => this.#recvSynced(),
    });
  }

  redirectionOf(pod: NodePod): Redirection {
    return this.#redirections.of(pod);
  }

  /** Looks again and again whether the rules still stand, until the signal aborts; never rejects. */
  async verify(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await delay(this.#deps.clock, this.#options.verifyMs, signal).catch(() => {});
      await this.captures.verify(signal);
    }
  }

  /** Stops work; the pods stay as they are. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.captures[Symbol.asyncDispose](), this.#annotator[Symbol.asyncDispose]()]);
  }

  #makeCaptures(): Captures {
    const { finder, redirector, handover, probes, onEvent, clock, random, logger } = this.#deps;
    return new Captures(
      { settleMs: this.#options.settleMs },
      {
        finder,
        redirector,
        handover,
        connectionsOf: podConnections,
        probes,
        annotate: (pod, mark) => this.#annotator.want(pod, mark),
        onEvent: (event) => {
          onEvent(event);
          this.#tellWhenTried();
        },
        clock,
        random,
        logger: logger.scope('capture'),
      },
    );
  }

  #recvPod({ pod, namespaceLabels }: PodInNamespace): void {
    const { excludedNamespaces, systemNamespace } = this.#options;
    const decision = decideEnrolment(pod, { namespaceLabels, excludedNamespaces, systemNamespace });
    this.#annotator.recvPod(pod);
    if (decision.kind === 'capture') this.captures.enrol(pod, this.#redirections.of(pod));
    else if (decision.kind === 'skip' && decision.reason === 'finished') this.captures.recvFinished(pod);
    else if (decision.kind === 'skip') this.captures.release(pod);
  }

  #recvGone(pod: NodePod): void {
    this.captures.recvDeleted(pod);
    this.#annotator.forget(pod.uid);
    this.#redirections.forget(pod.uid);
  }

  #recvSynced(): void {
    this.#deps.onSynced();
    this.#tellWhenTried();
  }

  /** N2. */
  #tellWhenTried(): void {
    if (this.#wereTried || !this.view.synced || !this.captures.allTried) return;
    this.#wereTried = true;
    this.#deps.onTried();
  }
}
