/**
 * Keys fetched from where an issuer publishes them.
 *
 *   none ── fetched ──▶ kept ── fetched again ──▶ kept (new)
 *     ▲ failed: tried again      ▲ failed: the last good ones go on
 *
 * K1  A request waits for a fetch only where it cannot be judged otherwise: without any keys, or for a key it names and
 *     nobody knows; and at most one such fetch starts per cooldown, whatever tokens callers make up.
 * K2  Keys once had stay until there are others: an issuer that is down invalidates nothing.
 */
import type { Dispatcher } from 'undici';
import { Backoff } from '@clearmesh/shared/lifecycle/backoff';
import type { Cancel, Clock } from '@clearmesh/shared/lifecycle/clock';
import { Deadline } from '@clearmesh/shared/lifecycle/deadline';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Logger } from '@clearmesh/shared/observe/log';
import { readBounded } from './bounded-text.ts';
import { KeySet } from './jwt-keys.ts';

/** Where a rule's keys come from. */
export interface KeySource {
  /** `undefined` while there are none. */
  current(signal: AbortSignal): KeySet | undefined | Promise<KeySet | undefined>;
  /** Keys other than `known`, if the issuer has others by now; else `known`. */
  other(known: KeySet, signal: AbortSignal): Promise<KeySet | undefined>;
}

export type RemoteKeysOptions = {
  readonly uri: string;
  /** One fetch, milliseconds. @default 5 000 */
  readonly timeoutMs?: number;
  /** @default 262 144 */
  readonly maxBytes?: number;
  /** Between fetches that succeed, milliseconds (Istio: 20 minutes). @default 1 200 000 */
  readonly refreshMs?: number;
  /** Between fetches that requests ask for, milliseconds. @default 10 000 */
  readonly cooldownMs?: number;
};

export type RemoteKeysDeps = {
  readonly clock: Clock;
  readonly random: Random;
  readonly dispatcher: Dispatcher;
  readonly logger: Logger;
};

export class RemoteKeys implements KeySource, AsyncDisposable {
  readonly #options: Required<RemoteKeysOptions>;
  readonly #deps: RemoteKeysDeps;
  readonly #backoff: Backoff;
  readonly #stopped = new AbortController();
  #keys: KeySet | undefined;
  #text = '';
  #fetching: Promise<void> | undefined;
  #askedAtMs = -Infinity;
  #cancelNext: Cancel = () => {};

  constructor(options: RemoteKeysOptions, deps: RemoteKeysDeps) {
    this.#options = { timeoutMs: 5_000, maxBytes: 262_144, refreshMs: 1_200_000, cooldownMs: 10_000, ...options };
    this.#deps = deps;
    this.#backoff = new Backoff({ initialMs: 1_000, maxMs: 60_000, jitter: 0.2 }, deps);
    this.#ask();
  }

  current(signal: AbortSignal): KeySet | undefined | Promise<KeySet | undefined> {
    return this.#keys ?? this.#wait(signal);
  }

  async other(known: KeySet, signal: AbortSignal): Promise<KeySet | undefined> {
    return this.#keys === known ? this.#wait(signal) : this.#keys;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort(new Error('the keys are no longer asked for'));
    this.#cancelNext();
    await this.#fetching;
  }

  async #wait(signal: AbortSignal): Promise<KeySet | undefined> {
    this.#ask();
    if (this.#fetching !== undefined) await unlessAborted(this.#fetching, signal);
    return this.#keys;
  }

  /** Starts a fetch unless one is under way or was lately (K1). */
  #ask(): void {
    const { clock } = this.#deps;
    if (this.#fetching !== undefined || clock.monotonicMs() - this.#askedAtMs < this.#options.cooldownMs) return;
    this.#askedAtMs = clock.monotonicMs();
    this.#start();
  }

  #start(): void {
    this.#cancelNext();
    this.#fetching ??= this.#fetch().finally(() => (this.#fetching = undefined));
  }

  async #fetch(): Promise<void> {
    const { clock, logger } = this.#deps;
    let nextMs: number;
    try {
      this.#adopt(await this.#read());
      this.#backoff.reset();
      nextMs = this.#options.refreshMs;
    } catch (thrown) {
      if (this.#stopped.signal.aborted) return;
      nextMs = this.#backoff.next();
      logger.warn('the keys of an issuer cannot be had; it is tried again', {
        uri: this.#options.uri,
        error: thrown instanceof Error ? thrown.message : String(thrown),
        keysKept: this.#keys !== undefined,
        retryMs: Math.round(nextMs),
      });
    }
    if (!this.#stopped.signal.aborted) this.#cancelNext = clock.after(nextMs, () => this.#start());
  }

  async #read(): Promise<string> {
    const { uri, timeoutMs, maxBytes } = this.#options;
    using deadline = new Deadline({ limitMs: timeoutMs }, this.#deps);
    const url = new URL(uri);
    const answer = await this.#deps.dispatcher.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method: 'GET',
      headers: { accept: 'application/jwk-set+json, application/json' },
      signal: deadline.within(this.#stopped.signal),
    });
    const text = await readBounded(answer.body, maxBytes);
    if (answer.statusCode !== 200) throw new Error(`it answered ${answer.statusCode}`);
    return text;
  }

  /** The same keys stay the same set, so that what is known about tokens stays known. */
  #adopt(text: string): void {
    if (text === this.#text) return;
    const keys = KeySet.parse(text);
    if (keys === undefined) throw new Error('the answer is no JWK Set with public keys');
    this.#keys = keys;
    this.#text = text;
  }
}

/** Keys that stand in the rule itself. */
export function staticKeys(keys: KeySet | undefined): KeySource {
  return { current: () => keys, other: () => Promise.resolve(keys) };
}

function unlessAborted(awaited: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    void awaited.then(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    });
  });
}
