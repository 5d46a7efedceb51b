/** Whether this agent ends for an upgrade, or for good: then it takes its plugin away. */
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { KubeFailure } from './kube-api.ts';
import type { KubeApi } from './kube-api.ts';

const askMs = 3_000;

export class OwnDaemonSet {
  readonly #path: string;
  readonly #deps: { readonly api: Pick<KubeApi, 'get'>; readonly clock: Clock };
  #wasSeen = false;

  constructor(
    { namespace, name }: { readonly namespace: string; readonly name: string },
    deps: { readonly api: Pick<KubeApi, 'get'>; readonly clock: Clock },
  ) {
    this.#path = `/apis/apps/v1/namespaces/${namespace}/daemonsets/${name}`;
    this.#deps = deps;
  }

  /** To be asked once while it must be there, so that a later refusal can be told from rights it never had. */
  async look(): Promise<void> {
    this.#wasSeen = (await this.#ask()) === 'there' || this.#wasSeen;
  }

  /** True only when that is certain: an API that does not answer leaves the plugin where it is. */
  async isGone(): Promise<boolean> {
    const answer = await this.#ask();
    return answer === 'gone' || (answer === 'forbidden' && this.#wasSeen);
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
