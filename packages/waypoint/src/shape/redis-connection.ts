/**
 * One connection to one Redis server, kept up for as long as it is wanted.
 *
 *   connecting ── ready ──▶ ready
 *       ▲  └── lost ──▶ waiting ◀── lost ──┘      any ── dispose ──▶ closed
 *       └─ back-off over ─┘
 *
 * R1  Nothing is queued while there is no connection, and nothing is ever sent twice: a command fails at once, or after
 *     `timeoutMs` though it may still be carried out.
 * R2  A server that does not answer is left: after ten time limits, one second at least, the socket is destroyed.
 * R3  The password is read anew for each attempt, so that it may be rotated, and appears in no error and no log line.
 */
import type { Redis } from 'ioredis';
import { Backoff } from '@clearmesh/shared/lifecycle/backoff';
import type { Cancel, Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Logger } from '@clearmesh/shared/observe/log';
import { openRedis } from './redis-client.ts';
import type { RedisStore } from './redis-client.ts';
import { RedisReplication } from './redis-replication.ts';
import type { RedisScript } from './redis-script.ts';

export type RedisConnectionOptions = {
  readonly store: RedisStore;
  /** Commands under way at one time; more fail at once. @default 4096 */
  readonly maxPending?: number;
};

export type RedisConnectionDeps = {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** The text of a file; rejects when there is none. */
  readonly readText: (path: string) => Promise<string>;
};

/** For readiness and the admin page; holds no secret. */
export type RedisHealth =
  | { readonly kind: 'connecting' }
  /** `evicts`: the server drops keys when its memory is full; absent: it does not tell. */
  | { readonly kind: 'ready'; readonly sinceMs: number; readonly evicts?: boolean }
  | { readonly kind: 'waiting'; readonly sinceMs: number; readonly error: string }
  | { readonly kind: 'closed' };

type State = RedisHealth | (RedisHealth & { readonly kind: 'waiting'; readonly cancel: Cancel });

/** The commands of this package: scripts, and the barrier of replication. Rejects with an Error that may be shown. */
export interface RedisCommands {
  readonly health: RedisHealth;
  run(script: RedisScript, keys: readonly string[], args: readonly (string | number | Buffer)[]): Promise<unknown>;
  /** How many replicas have everything written before, once `replicas` do or `waitMs` are over. */
  replicated(replicas: number, waitMs: number): Promise<number>;
}

export class RedisConnection implements RedisCommands, AsyncDisposable {
  readonly #store: RedisStore;
  readonly #maxPending: number;
  readonly #deps: RedisConnectionDeps;
  readonly #client: Redis;
  readonly #backoff: Backoff;
  readonly #replication: RedisReplication;
  #state: State = { kind: 'connecting' };
  #pending = 0;
  /** Why the socket closed; ioredis tells it by an event of its own. */
  #lastError: string | undefined;

  /** Connects at once. Throws MESH-CONFIG-003 for a URL that is none. */
  constructor(options: RedisConnectionOptions, deps: RedisConnectionDeps) {
    this.#store = options.store;
    this.#maxPending = options.maxPending ?? 4_096;
    this.#deps = deps;
    this.#client = openRedis(options.store);
    this.#backoff = new Backoff({ initialMs: 100, maxMs: 5_000, jitter: 0.2 }, deps);
    this.#replication = new RedisReplication({ wait: (replicas, waitMs) => this.#wait(replicas, waitMs) });
    this.#client.on('error', (error: Error) => (this.#lastError = messageOf(error)));
    this.#client.on('end', () => this.#recvLost('the connection ended'));
    void this.#connect();
  }

  get health(): RedisHealth {
    const state = this.#state;
    return state.kind === 'waiting' ? { kind: state.kind, sinceMs: state.sinceMs, error: state.error } : state;
  }

  async run(script: RedisScript, keys: readonly string[], args: readonly (string | number | Buffer)[]): Promise<unknown> {
    const rest = [keys.length, ...keys, ...args];
    try {
      return await this.#send('EVALSHA', [script.sha, ...rest]);
    } catch (thrown) {
      // Scripts live as long as the server; a new one knows none.
      if (!messageOf(thrown).startsWith('NOSCRIPT')) throw thrown;
      return await this.#send('EVAL', [script.source, ...rest]);
    }
  }

  replicated(replicas: number, waitMs: number): Promise<number> {
    return this.#replication.reached(replicas, waitMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const before = this.#state;
    if (before.kind === 'closed') return;
    if (before.kind === 'waiting' && 'cancel' in before) before.cancel();
    this.#state = { kind: 'closed' };
    if (!this.#isOpen()) return;
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    this.#client.once('end', resolve);
    this.#client.disconnect();
    await ended;
  }

  async #connect(): Promise<void> {
    try {
      const { passwordFile } = this.#store;
      if (passwordFile !== undefined) this.#client.options.password = (await this.#deps.readText(passwordFile)).trim();
      if (this.#state.kind === 'closed') return;
      await this.#client.connect();
      const evicts = await this.#evicts();
      if (this.#state.kind !== 'connecting' || this.#client.status !== 'ready') return;
      this.#backoff.reset();
      this.#lastError = undefined;
      this.#state = { kind: 'ready', sinceMs: this.#deps.clock.now(), ...(evicts === undefined ? {} : { evicts }) };
      this.#deps.logger.info('connected to redis', { url: this.#store.url });
    } catch (thrown) {
      this.#recvLost(messageOf(thrown));
    }
  }

  #recvLost(message: string): void {
    if (this.#state.kind === 'closed' || this.#state.kind === 'waiting') return;
    // The event has the reason where there is one; the promise says that the connection closed.
    const error = this.#lastError ?? message;
    const delayMs = this.#backoff.next();
    const cancel = this.#deps.clock.after(delayMs, () => {
      this.#state = { kind: 'connecting' };
      this.#lastError = undefined;
      void this.#connect();
    });
    this.#state = { kind: 'waiting', sinceMs: this.#deps.clock.now(), error, cancel };
    // ioredis would set a timer for a socket that has closed already.
    if (this.#isOpen()) this.#client.disconnect();
    this.#deps.logger.warn('no connection to redis', { url: this.#store.url, error, retryMs: Math.round(delayMs) });
  }

  #isOpen(): boolean {
    const { status } = this.#client;
    return status !== 'wait' && status !== 'close' && status !== 'end';
  }

  /** `undefined`: the server does not let us look. */
  async #evicts(): Promise<boolean | undefined> {
    try {
      const info = await this.#client.info('memory');
      if (/^maxmemory:0\r?$/m.test(info)) return false;
      return !/^maxmemory_policy:noeviction\r?$/m.test(info);
    } catch (thrown) {
      if (messageOf(thrown).startsWith('NOPERM')) return undefined;
      throw thrown;
    }
  }

  async #wait(replicas: number, waitMs: number): Promise<number> {
    return Number(await this.#send('WAIT', [replicas, waitMs]));
  }

  async #send(command: string, args: (string | number | Buffer)[]): Promise<unknown> {
    const state = this.#state;
    if (state.kind !== 'ready') throw new Error(`no connection to ${this.#store.url}`);
    if (this.#pending >= this.#maxPending) throw new Error(`${this.#maxPending} commands to ${this.#store.url} are under way`);
    this.#pending += 1;
    try {
      return await this.#client.callBuffer(command, args);
    } catch (thrown) {
      // ioredis attaches the command with its arguments: only the message goes on.
      // oxlint-disable-next-line preserve-caught-error
      throw new Error(messageOf(thrown));
    } finally {
      this.#pending -= 1;
    }
  }
}

/** The first line of what went wrong, without the command that ioredis attaches: it may hold the password (R3). */
export function messageOf(thrown: unknown): string {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return (message.split('\n', 1)[0] ?? '').slice(0, 200);
}
