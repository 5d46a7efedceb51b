/** How each pod wants to be redirected, with a word in the log, once, about what of it cannot be had. */
import type { Logger } from '@clearmesh/shared/observe/log';
import { redirectionOf } from '../redirect/redirection.ts';
import type { Redirection } from '../redirect/redirection.ts';
import type { NodePod } from '../watch/pod-object.ts';

export class PodRedirections {
  readonly #defaults: Redirection;
  readonly #logger: Logger;
  /** What was said of a pod last, by UID. */
  readonly #said = new Map<string, string>();

  constructor(defaults: Redirection, deps: { readonly logger: Logger }) {
    this.#defaults = defaults;
    this.#logger = deps.logger;
  }

  of(pod: NodePod): Redirection {
    const { redirection, rejected } = redirectionOf(pod.annotations, this.#defaults);
    const complaints = rejected.map(({ annotation, value, reason }) => `${annotation}=${JSON.stringify(value)} ${reason}`);
    this.#say(pod, complaints.join('; '));
    return redirection;
  }

  forget(uid: string): void {
    this.#said.delete(uid);
  }

  #say(pod: NodePod, complaint: string): void {
    if (complaint === (this.#said.get(pod.uid) ?? '')) return;
    this.#said.set(pod.uid, complaint);
    if (complaint !== '')
      this.#logger.warn('annotation is not followed', { pod: `${pod.namespace}/${pod.name}`, reason: complaint });
  }
}
