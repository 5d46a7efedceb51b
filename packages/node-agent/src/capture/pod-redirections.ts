/** How each pod wants to be redirected, with a word in the log, once, about what of it cannot be had. */
import type { Logger } from '@clearmesh/shared/observe/log';
import { DNS_CAPTURE, redirectionOf } from '../redirect/redirection.ts';
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
    // Nobody listens on 15053 in the pod: its queries would be refused.
    if (redirection.dnsCapture === true) complaints.push(`${DNS_CAPTURE} asks for a DNS proxy, which ztunnel does not have`);
    this.#say(pod, complaints.join('; '));
    return { ...redirection, dnsCapture: false };
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
