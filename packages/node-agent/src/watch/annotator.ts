/**
 * Says on each pod whether it is in the mesh (control-plane-contract section 1.2): the control plane sends others to it through
 * tunnels only when it says so. Each pod's word is brought to the API in its own time, and the latest one wins.
 */
import { Backoff } from '@clearmesh/shared/lifecycle/backoff';
import { delay } from '@clearmesh/shared/lifecycle/clock';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { Mark } from '../capture/capture-state.ts';
import { REDIRECTION } from '../capture/capture-steps.ts';
import { KubeFailure } from './kube-api.ts';
import type { KubeApi } from './kube-api.ts';
import type { NodePod } from './pod-object.ts';

export type AnnotatorDeps = {
  readonly api: Pick<KubeApi, 'mergePatch'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
};

type Task = { pod: NodePod; mark: Mark };

/** Time for one patch, milliseconds. */
const patchMs = 10_000;

export class Annotator implements AsyncDisposable {
  readonly #deps: AnnotatorDeps;
  readonly #stop = new AbortController();
  /** What is to be written, by UID; an entry is there while its writer runs. */
  readonly #tasks = new Map<string, Task>();
  /** What each pod showed last: who wants something may have an older copy of it. */
  readonly #seen = new Map<string, string | undefined>();
  /** What was written last, until the pod itself shows it. */
  readonly #written = new Map<string, Mark>();
  readonly #running = new Set<Promise<void>>();

  constructor(deps: AnnotatorDeps) {
    this.#deps = deps;
  }

  /** Sees to it that the pod's annotation is `mark`. */
  want(pod: NodePod, mark: Mark): void {
    const task = this.#tasks.get(pod.uid);
    if (task !== undefined) {
      task.pod = pod;
      task.mark = mark;
      return;
    }
    const seen = this.#seen.has(pod.uid) ? this.#seen.get(pod.uid) : pod.annotations[REDIRECTION];
    const shown = this.#written.has(pod.uid) ? this.#written.get(pod.uid) : seen;
    if (shown === mark || this.#stop.signal.aborted) return;
    this.#tasks.set(pod.uid, { pod, mark });
    const running = this.#write(pod.uid).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** The pod as the API has it now: what it shows is what counts. */
  recvPod({ uid, annotations }: NodePod): void {
    this.#seen.set(uid, annotations[REDIRECTION]);
    if (!this.#tasks.has(uid) && this.#written.get(uid) === annotations[REDIRECTION]) this.#written.delete(uid);
  }

  forget(uid: string): void {
    this.#seen.delete(uid);
    this.#written.delete(uid);
  }

  /** Writes under way are given up. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
  }

  async #write(uid: string): Promise<void> {
    const { clock, random, logger } = this.#deps;
    const { signal } = this.#stop;
    const backoff = new Backoff({ initialMs: 100, maxMs: 5_000, jitter: 0.2 }, { random });
    for (let task = this.#tasks.get(uid); task !== undefined && !signal.aborted; task = this.#tasks.get(uid)) {
      const { pod, mark } = task;
      try {
        await this.#patch(pod, mark, signal);
        this.#written.set(uid, mark);
        if (task.mark === mark) this.#tasks.delete(uid);
      } catch (error) {
        if (signal.aborted) break;
        // The pod is no more, or another one has its name by now.
        if (error instanceof KubeFailure && (error.status === 404 || error.status === 409)) {
          this.#tasks.delete(uid);
          break;
        }
        const pauseMs = Math.round(backoff.next());
        const reason = error instanceof Error ? error.message : String(error);
        logger.warn('annotation not written [MESH-AGENT-002]', {
          pod: `${pod.namespace}/${pod.name}`,
          error: reason,
          retry_ms: pauseMs,
        });
        await delay(clock, pauseMs, signal).catch(() => {});
      }
    }
    this.#tasks.delete(uid);
  }

  async #patch(pod: NodePod, mark: Mark, signal: AbortSignal): Promise<void> {
    const late = new AbortController();
    const cancel = this.#deps.clock.after(patchMs, () => late.abort(new Error(`no answer within ${patchMs} ms`)));
    try {
      // With its UID: another pod of this name is refused with 409.
      const metadata = { uid: pod.uid, annotations: { [REDIRECTION]: mark ?? null } };
      const path = `/api/v1/namespaces/${pod.namespace}/pods/${pod.name}/status`;
      await this.#deps.api.mergePatch(path, { metadata }, AbortSignal.any([signal, late.signal]));
    } finally {
      cancel();
    }
  }
}
