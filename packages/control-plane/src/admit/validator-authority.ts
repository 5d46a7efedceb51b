/**
 * Who signs for the webhook, written where the API server looks for it: `caBundle` of the ValidatingWebhookConfiguration
 * that the chart made. Without the configuration nothing is asked, and nothing is to be done.
 */
import type { Cancel } from '@clearmesh/shared/lifecycle/clock';
import { answerText } from '../kubernetes/api-answer.ts';
import { Informer } from '../kubernetes/informer.ts';
import { objectPath } from '../kubernetes/resource.ts';
import { WorkQueue } from '../lead/work-queue.ts';
import type { ApiObject, Resource } from '../kubernetes/resource.ts';
import type { GivenOut } from '../certify/current-root.ts';
import type { Leadership, LeaderRun, LeaderTask } from '../lead/leader-task.ts';
import type { WorkResult } from '../lead/work-queue.ts';

export const validatorName = 'clearmesh-validator';
const fieldManager = 'clearmesh-webhook';
/** Milliseconds between two writes, so that no other writer is fought with. */
const restMs = 10_000;

const configurations: Resource = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingWebhookConfiguration',
  plural: 'validatingwebhookconfigurations',
};

/** Names of its webhooks, and the authority that each has: base64 of PEM, or "". */
type Validator = { readonly authorities: ReadonlyMap<string, string> };

export class ValidatorAuthority implements LeaderTask {
  readonly name = 'webhook';
  readonly #root: GivenOut;

  constructor(root: GivenOut) {
    this.#root = root;
  }

  lead(leadership: Leadership): LeaderRun {
    return new AuthorityRun(this.#root, leadership);
  }
}

class AuthorityRun implements LeaderRun {
  readonly #root: GivenOut;
  readonly #unlisten: Cancel;
  readonly #leadership: Leadership;
  readonly #queue: WorkQueue;
  readonly #informer: Informer<Validator>;
  #validator: Validator | undefined;
  #writtenMs = -Infinity;

  constructor(root: GivenOut, leadership: Leadership) {
    this.#root = root;
    this.#leadership = leadership;
    const { api, clock, random, signal, logger } = leadership;
    this.#queue = new WorkQueue({}, { clock, random, signal, work: (_key, until) => this.#settle(until) });
    this.#informer = new Informer<Validator>(
      { resources: [configurations], fieldSelector: `metadata.name=${validatorName}` },
      {
        api,
        clock,
        random,
        read: readValidator,
        listener: {
          recvList: ([validator]) => this.#recv(validator),
          recvChange: (validator) => this.#recv(validator),
          recvRemoval: () => this.#recv(undefined),
          recvState: (state) => {
            if (state.kind === 'forbidden') logger.warn('the webhook’s configuration cannot be read', { error: state.message });
          },
        },
      },
    );
    this.#informer.start();
    this.#unlisten = root.onReplaced(() => this.#queue.add(validatorName));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unlisten();
    await this.#informer[Symbol.asyncDispose]();
    await this.#queue[Symbol.asyncDispose]();
  }

  #recv(validator: Validator | undefined): void {
    this.#validator = validator;
    this.#queue.add(validatorName);
  }

  async #settle(signal: AbortSignal): Promise<WorkResult> {
    const caBundle = Buffer.from(this.#root.rootPem).toString('base64');
    const wrong = [...(this.#validator?.authorities ?? [])].filter(([, authority]) => authority !== caBundle);
    if (wrong.length === 0) return { kind: 'done' };
    const { api, clock, logger } = this.#leadership;
    const waitMs = this.#writtenMs + restMs - clock.monotonicMs();
    if (waitMs > 0) return { kind: 'retry', afterMs: waitMs };
    this.#writtenMs = clock.monotonicMs();
    const answer = await api.call(
      {
        method: 'PATCH',
        path: objectPath(configurations, { name: validatorName }),
        query: { fieldManager },
        // Merged by name: what else stands in the configuration is the chart's.
        body: { webhooks: wrong.map(([name]) => ({ name, clientConfig: { caBundle } })) },
        contentType: 'application/strategic-merge-patch+json',
      },
      signal,
    );
    if (answer.kind === 'ok') {
      // Counts before the watch tells of it.
      this.#validator = readValidator(answer.body as ApiObject);
      logger.info('the API server knows who signs for the webhook', { webhooks: wrong.length });
      return { kind: 'done' };
    }
    // Gone, and the watch tells.
    if (answer.kind === 'refused' && answer.status === 404) return { kind: 'done' };
    logger.warn('the authority of the webhook could not be written', { error: answerText(answer) });
    return { kind: 'retry' };
  }
}

function readValidator(object: ApiObject): Validator {
  const { webhooks } = object as ApiObject & {
    readonly webhooks?: readonly { readonly name: string; readonly clientConfig?: { readonly caBundle?: string } }[] | null;
  };
  return { authorities: new Map((webhooks ?? []).map(({ name, clientConfig }) => [name, clientConfig?.caBundle ?? ''])) };
}
