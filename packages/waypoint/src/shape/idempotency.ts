/**
 * Dispatches each keyed request at most once (l7-and-resilience C1, B12).
 *
 * Enters: the facts of a request, its key and its whole body. Leaves: a ticket to dispatch it, the answer it had before,
 * or why it is neither.
 *
 *   idempotencyKeyOf ─▶ bufferBody ─▶ begin ─▶ refused | answered | proceed ─▶ forward ─▶ ticket.complete …
 *
 * I1  Nothing is dispatched without a claim that stands in the store, and on the replicas the policy asks for.
 * I2  Without the store there is no claim: a request with a key is refused, never passed through.
 * I3  An outcome that is not known is never dispatched again; only {@link Idempotency.resolveUnknown} ends it.
 * I4  Keys belong to their caller's identity as the handshake proved it.
 */
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { IdempotencyPolicy, KeyValueStore } from '@clearmesh/shared/model/l7/resilience';
import type { RequestFacts } from '../exchange/request-facts.ts';
import type { LocalAnswer, Refused } from '../exchange/stage.ts';
import { defaultKeptHeaders, encodeAnswer, replayOf } from './idempotency-answer.ts';
import type { CapturedAnswer } from './idempotency-answer.ts';
import { failureOf } from './idempotency-failures.ts';
import type { RefusedBegin } from './idempotency-failures.ts';
import { fingerprint, recordId } from './idempotency-fingerprint.ts';
import type { RecordScope } from './idempotency-fingerprint.ts';
import { AnswerSeal } from './idempotency-seal.ts';
import type { IdempotencyVerdict } from './idempotency-state.ts';
import type { IdempotencyStore, StoreUnavailable } from './idempotency-store.ts';
import { IdempotencyTicket } from './idempotency-ticket.ts';
import { MemoryIdempotencyStore } from './memory-store.ts';
import type { MemoryStoreOptions } from './memory-store.ts';
import type { RedisConnectionSource } from './redis-connections.ts';
import { RedisIdempotencyStore } from './redis-idempotency-store.ts';

export type IdempotencyOptions = {
  /** The banking domain: part of every record's name, and of the key its answers are sealed with. */
  readonly domain: string;
  /** At least 32 random bytes, the same in every replica; Redis stores refuse all keys without it. */
  readonly responseKey?: Uint8Array;
  /** Lower case. @default defaultKeptHeaders */
  readonly keptHeaders?: readonly string[];
  readonly memory?: MemoryStoreOptions;
};

export type IdempotencyDeps = {
  readonly clock: Clock;
  readonly random: Random;
  readonly redis: RedisConnectionSource;
};

/** A request whose policy has mode `key`, and that carries one. */
export type KeyedRequest = {
  readonly policy: IdempotencyPolicy;
  readonly key: string;
  /** The route's path template; absent: the path. */
  readonly route?: string;
  readonly body: Uint8Array;
};

export type BeginOutcome =
  | { readonly kind: 'proceed'; readonly ticket: IdempotencyTicket }
  | { readonly kind: 'answered'; readonly answer: LocalAnswer }
  | Refused;

/** What an operator found out about a request of unknown outcome. */
export type Resolution = { readonly kind: 'not-processed' } | { readonly kind: 'processed'; readonly answer: CapturedAnswer };

export class Idempotency {
  readonly #domain: string;
  readonly #deps: IdempotencyDeps;
  readonly #keptHeaders: ReadonlySet<string>;
  readonly #seal: AnswerSeal | undefined;
  readonly #memory: MemoryIdempotencyStore;

  /** Throws MESH-CONFIG-003 for a response key that is too short. */
  constructor(options: IdempotencyOptions, deps: IdempotencyDeps) {
    this.#domain = options.domain;
    this.#deps = deps;
    this.#keptHeaders = new Set(options.keptHeaders ?? defaultKeptHeaders);
    this.#seal = options.responseKey === undefined ? undefined : new AnswerSeal(options.responseKey, options.domain);
    this.#memory = new MemoryIdempotencyStore(options.memory ?? {}, deps);
  }

  /** Keys kept in this process. */
  get memoryRecords(): number {
    return this.#memory.size;
  }

  /** Claims the key, or tells what became of the request that had it. Never rejects. */
  async begin(request: RequestFacts, keyed: KeyedRequest): Promise<BeginOutcome> {
    const { policy, body } = keyed;
    const record = this.recordOf(scopeOf(request, keyed));
    const token = this.#deps.random.hex(16);
    const store = this.#storeOf(policy.store, policy.waitReplicas);
    const event = { fingerprint: fingerprint(request, body), token, requestId: request.id, leaseMs: policy.leaseMs };
    const verdict = await store.apply(record, { kind: 'begin', ...event });
    if (verdict.kind === 'claimed') return { kind: 'proceed', ticket: this.#ticket(record, event, policy, store) };
    return this.#answer(record, verdict, policy.store);
  }

  /** The name a request's record has. */
  recordOf(scope: RecordScope): string {
    return recordId(this.#domain, scope);
  }

  /** What stands under a record's name. */
  look(record: string, at: KeyValueStore): Promise<IdempotencyVerdict | StoreUnavailable> {
    return this.#storeOf(at, 0).apply(record, { kind: 'look' });
  }

  /**
   * Ends an unknown outcome by what an operator found out: `settled`, or what stands there instead. The caller's next
   * request with the key is dispatched, or answered with the answer given here.
   */
  async resolveUnknown(
    record: string,
    resolution: Resolution,
    policy: Pick<IdempotencyPolicy, 'store' | 'ttlMs'>,
  ): Promise<IdempotencyVerdict | StoreUnavailable> {
    const store = this.#storeOf(policy.store, 0);
    const event = { kind: 'resolve', ttlMs: policy.ttlMs } as const;
    if (resolution.kind === 'not-processed') return store.apply(record, event);
    const seen = await store.apply(record, { kind: 'look' });
    if (seen.kind !== 'unknown') return seen;
    const answer = this.#encoder(record, seen.fingerprint, policy.store)(resolution.answer);
    return store.apply(record, { ...event, answer });
  }

  #ticket(
    record: string,
    claim: { readonly token: string; readonly fingerprint: string },
    policy: IdempotencyPolicy,
    store: IdempotencyStore,
  ): IdempotencyTicket {
    const { ttlMs, maxBodyBytes } = policy;
    const encode = this.#encoder(record, claim.fingerprint, policy.store);
    return new IdempotencyTicket({ record, token: claim.token, ttlMs, maxBodyBytes }, { store, encode });
  }

  #encoder(record: string, fingerprint: string, at: KeyValueStore): (answer: CapturedAnswer) => Uint8Array {
    return (answer) => {
      const encoded = encodeAnswer(answer, this.#keptHeaders);
      // Only a Redis store leaves the process, and storeOf gives none without a seal.
      return at.kind === 'memory' ? encoded : (this.#seal?.seal(encoded, { record, fingerprint }) ?? Buffer.alloc(0));
    };
  }

  #answer(record: string, verdict: RefusedBegin, at: KeyValueStore): BeginOutcome {
    const answer = verdict.kind === 'done' ? this.#replay(record, verdict, at) : undefined;
    return answer === undefined ? { kind: 'refused', failure: failureOf(verdict) } : { kind: 'answered', answer };
  }

  #replay(record: string, done: IdempotencyVerdict & { kind: 'done' }, at: KeyValueStore): LocalAnswer | undefined {
    const { answer, fingerprint } = done;
    if (answer === undefined) return undefined;
    const encoded = at.kind === 'memory' ? answer : this.#seal?.open(answer, { record, fingerprint });
    return encoded === undefined ? undefined : replayOf(encoded);
  }

  #storeOf(store: KeyValueStore, waitReplicas: number): IdempotencyStore {
    if (store.kind === 'memory') return this.#memory;
    if (this.#seal === undefined) return unavailable('the waypoint has no response key, which Redis stores need');
    const connection = this.#deps.redis.get({ store, lane: waitReplicas > 0 ? 'replicated' : 'shared' });
    if (connection === undefined) return unavailable(`no connection to ${store.url}`);
    return new RedisIdempotencyStore({ waitReplicas, timeoutMs: store.timeoutMs }, { connection });
  }
}

/** I4. */
function scopeOf(request: RequestFacts, { key, route }: KeyedRequest): RecordScope {
  const { caller, called, method, path } = request;
  return { principal: caller.identity, service: called.key, method, route: route ?? path, key };
}

function unavailable(detail: string): IdempotencyStore {
  return { apply: () => Promise.resolve({ kind: 'unavailable', detail }) };
}
