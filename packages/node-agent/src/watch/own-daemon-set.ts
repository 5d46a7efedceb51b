/** Whether this agent ends for an upgrade, or for good: then it takes its plugin away. */
import { Backoff } from '@clearmesh/shared/lifecycle/backoff';
import { delay } from '@clearmesh/shared/lifecycle/clock';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import { KubeFailure } from './kube-api.ts';
import type { KubeApi } from './kube-api.ts';

const askMs = 3_000;
/** Between two questions while the API gives no answer, milliseconds. */
const retry = { initialMs: 250, maxMs: 15_000, jitter: 0.2 } as const;
/** How long an end waits for an answer, milliseconds: less than the grace of the pod, with time left to take things away. */
const endMs = 9_000;

type OwnDaemonSetDeps = { readonly api: Pick<KubeApi, 'get'>; readonly clock: Clock; readonly random: Random };

export class OwnDaemonSet {
  readonly #path: string;
  readonly #deps: OwnDaemonSetDeps;
  #wasSeen = false;

  constructor({ namespace, name }: { readonly namespace: string; readonly name: string }, deps: OwnDaemonSetDeps) {
    this.#path = `/apis/apps/v1/namespaces/${namespace}/daemonsets/${name}`;
    this.#deps = deps;
  }

  /**
   * Asks until it was seen, so that a later refusal can be told from rights it never had: after a reboot the API is often
   * out of reach for the first question. Never rejects.
   */
  async look(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#deps;
    const backoff = new Backoff(retry, { random });
    while (!signal.aborted) {
      if ((await this.#ask()) === 'there') {
        this.#wasSeen = true;
        return;
      }
      await delay(clock, backoff.next(), signal).catch(() => {});
    }
  }

  /** True only when that is certain: an API that does not answer for nine seconds leaves the plugin where it is. */
  async isGone(): Promise<boolean> {
    const { clock, random } = this.#deps;
    const backoff = new Backoff(retry, { random });
    const untilMs = clock.monotonicMs() + endMs;
    for (;;) {
      const answer = await this.#ask();
      if (answer !== 'unknown') return answer === 'gone' || (answer === 'forbidden' && this.#wasSeen);
      const pauseMs = backoff.next();
      if (clock.monotonicMs() + pauseMs >= untilMs) return false;
      await delay(clock, pauseMs, new AbortController().signal);
    }
  }

  async #ask(): Promise<'there' | 'gone' | 'forbidden' | 'unknown'> {
    const late = new AbortController();
    const cancel = this.#deps.clock.after(askMs, () => late.abort(new KubeFailure(`no answer within ${askMs} ms`)));
    try {
      const { metadata } = (await this.#deps.api.get(this.#path, late.signal)) as { metadata?: { deletionTimestamp?: string } };
      return metadata?.deletionTimestamp === undefined ? 'there' : 'gone';
    } catch (error) {
      if (!(error instanceof KubeFailure)) return 'unknown';
      if (error.status === 404) return 'gone';
      return error.status === 401 || error.status === 403 ? 'forbidden' : 'unknown';
    } finally {
      cancel();
    }
  }
}
