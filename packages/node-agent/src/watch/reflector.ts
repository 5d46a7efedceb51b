/**
 * Keeps a copy of one kind of object in step with the API: list, then watch, for ever.
 *
 *   listing ── whole list ──▶ watching ── stream ends ──▶ watching again from the last version
 *      ▲                          └── version too old | any failure ──▶ pause ──┐
 *      └───────────────────────────────────────────────────────────────────────┘
 *
 * R1  what was heard last stays in force while the API does not answer.
 * R2  after a failure everything is listed again: nothing that happened meanwhile is missed.
 */
import { Backoff } from '@clearmesh/shared/lifecycle/backoff';
import { delay } from '@clearmesh/shared/lifecycle/clock';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { KubeApi } from './kube-api.ts';

export type ReflectorOptions = {
  /** For messages, such as `pods`. */
  readonly name: string;
  /** Path of the collection. */
  readonly path: string;
  /** Such as `spec.nodeName=n1`. */
  readonly fieldSelector?: string;
};

export type ReflectorDeps = {
  readonly api: Pick<KubeApi, 'get' | 'watch'>;
  readonly onList: (objects: readonly unknown[]) => void;
  readonly onUpsert: (object: unknown) => void;
  readonly onDelete: (object: unknown) => void;
  /** Whether what is known is what the API has, as far as can be told. */
  readonly onLive: (live: boolean) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
};

/** Small enough that nobody waits for it when the API is back. */
const retry = { initialMs: 250, maxMs: 5_000, jitter: 0.2 } as const;
const pageSize = 500;
/** Time for one page of a list, milliseconds. */
const pageMs = 15_000;
/** The server ends a watch after this; one that is silent for longer is dead. Seconds. */
const watchSeconds = 300;
const silenceMs = (watchSeconds + 30) * 1000;
/** A watch that ends sooner than this counts as a failure, or it would be asked for again without end. */
const shortestWatchMs = 1000;

export class Reflector {
  readonly #options: ReflectorOptions;
  readonly #deps: ReflectorDeps;
  readonly #backoff: Backoff;

  constructor(options: ReflectorOptions, deps: ReflectorDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#backoff = new Backoff(retry, { random: deps.random });
  }

  /** Runs until the signal aborts; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger, onLive } = this.#deps;
    while (!signal.aborted) {
      try {
        await this.#follow(await this.#list(signal), signal);
      } catch (error) {
        onLive(false);
        if (signal.aborted) return;
        const pauseMs = this.#backoff.next();
        const reason = error instanceof Error ? error.message : String(error);
        logger.warn(`cannot follow ${this.#options.name} [MESH-AGENT-002]`, { error: reason, retry_ms: Math.round(pauseMs) });
        await delay(clock, pauseMs, signal).catch(() => {});
      }
    }
  }

  /** Lists all pages and returns the version to watch from. */
  async #list(signal: AbortSignal): Promise<string> {
    const objects: unknown[] = [];
    let continuation = '';
    for (;;) {
      const query = { limit: String(pageSize), ...(continuation === '' ? {} : { continue: continuation }) };
      const { items, metadata } = await this.#page(this.#url(query), signal);
      objects.push(...(items ?? []));
      continuation = metadata?.continue ?? '';
      if (continuation !== '') continue;
      this.#deps.onList(objects);
      return metadata?.resourceVersion ?? '';
    }
  }

  async #page(url: string, signal: AbortSignal): Promise<ListObject> {
    const late = new AbortController();
    const cancel = this.#deps.clock.after(pageMs, () => late.abort(new Error(`no answer within ${pageMs} ms`)));
    try {
      return (await this.#deps.api.get(url, AbortSignal.any([signal, late.signal]))) as ListObject;
    } finally {
      cancel();
    }
  }

  async #follow(from: string, signal: AbortSignal): Promise<void> {
    const { clock, onLive } = this.#deps;
    let version = from;
    for (;;) {
      const startedMs = clock.monotonicMs();
      onLive(true);
      version = await this.#watch(version, signal);
      signal.throwIfAborted();
      if (clock.monotonicMs() - startedMs < shortestWatchMs) throw new Error('the watch ended at once');
      this.#backoff.reset();
    }
  }

  /** The last version seen when the server ends the stream. */
  async #watch(from: string, signal: AbortSignal): Promise<string> {
    const { api, clock } = this.#deps;
    const silence = new AbortController();
    const fall = (): void => silence.abort(new Error(`no event for ${silenceMs} ms`));
    let cancel = clock.after(silenceMs, fall);
    let version = from;
    try {
      const query = { watch: '1', allowWatchBookmarks: 'true', timeoutSeconds: String(watchSeconds), resourceVersion: from };
      for await (const event of api.watch(this.#url(query), AbortSignal.any([signal, silence.signal]))) {
        cancel();
        cancel = clock.after(silenceMs, fall);
        version = this.#recvEvent(event) ?? version;
      }
      silence.signal.throwIfAborted();
      return version;
    } finally {
      cancel();
    }
  }

  #recvEvent({ type, object }: { readonly type: string; readonly object: unknown }): string | undefined {
    const { metadata, message } = (object ?? {}) as EventObject;
    // Such as 410: the version is too old.
    if (type === 'ERROR') throw new Error(message ?? 'the API server ended the watch with an error');
    if (type === 'ADDED' || type === 'MODIFIED') this.#deps.onUpsert(object);
    if (type === 'DELETED') this.#deps.onDelete(object);
    return metadata?.resourceVersion;
  }

  #url(query: Readonly<Record<string, string>>): string {
    const { path, fieldSelector } = this.#options;
    return `${path}?${new URLSearchParams({ ...query, ...(fieldSelector === undefined ? {} : { fieldSelector }) }).toString()}`;
  }
}

type ListObject = {
  readonly items?: readonly unknown[];
  readonly metadata?: { readonly continue?: string; readonly resourceVersion?: string };
};
type EventObject = { readonly metadata?: { readonly resourceVersion?: string }; readonly message?: string };
