/** Idempotency records that all replicas of a waypoint share. One round trip an event, and one more where replicas must have it. */
import { unreachable } from '@clearmesh/shared/lifecycle/unreachable';
import type { IdempotencyEvent, IdempotencyVerdict } from './idempotency-state.ts';
import type { IdempotencyStore, StoreUnavailable } from './idempotency-store.ts';
import { messageOf } from './redis-connection.ts';
import type { RedisCommands } from './redis-connection.ts';
import { idempotencyScript } from './redis-idempotency-script.ts';

export type RedisIdempotencyOptions = {
  /** Replicas that must have a claim before it counts. */
  readonly waitReplicas: number;
  /** Of one command, milliseconds. */
  readonly timeoutMs: number;
};

export class RedisIdempotencyStore implements IdempotencyStore {
  readonly #options: RedisIdempotencyOptions;
  readonly #connection: RedisCommands;

  constructor(options: RedisIdempotencyOptions, deps: { readonly connection: RedisCommands }) {
    this.#options = options;
    this.#connection = deps.connection;
  }

  async apply(record: string, event: IdempotencyEvent): Promise<IdempotencyVerdict | StoreUnavailable> {
    const { health } = this.#connection;
    // A key that is evicted is a request that is dispatched again.
    if (event.kind === 'begin' && health.kind === 'ready' && health.evicts === true)
      return { kind: 'unavailable', detail: 'the Redis server evicts keys when it is full; set maxmemory-policy noeviction' };
    try {
      const verdict = verdictOf(await this.#connection.run(idempotencyScript, [record], argumentsOf(event)));
      return event.kind === 'begin' && verdict.kind === 'claimed' ? await this.#replicated(record, event.token) : verdict;
    } catch (thrown) {
      // The claim may have been made, or may yet be. Nobody dispatches for it: take it back, or its lease ends it as unknown.
      if (event.kind === 'begin') this.#takeBack(record, event.token);
      return { kind: 'unavailable', detail: messageOf(thrown) };
    }
  }

  async #replicated(record: string, token: string): Promise<IdempotencyVerdict | StoreUnavailable> {
    const { waitReplicas, timeoutMs } = this.#options;
    if (waitReplicas === 0) return { kind: 'claimed' };
    // Shorter than the command's own time, so that the server's answer comes first; 0 would wait for ever.
    const reached = await this.#connection.replicated(waitReplicas, Math.max(1, Math.floor(timeoutMs * 0.8)));
    if (reached >= waitReplicas) return { kind: 'claimed' };
    this.#takeBack(record, token);
    return { kind: 'unavailable', detail: `${reached} of ${waitReplicas} Redis replicas have the key` };
  }

  /** On the same connection, hence behind the begin. */
  #takeBack(record: string, token: string): void {
    this.#connection.run(idempotencyScript, [record], ['not-dispatched', token]).catch(() => {});
  }
}

/** As the script reads them. */
function argumentsOf(event: IdempotencyEvent): (string | number | Buffer)[] {
  switch (event.kind) {
    case 'begin':
      return [event.kind, event.fingerprint, event.requestId, event.token, event.leaseMs];
    case 'complete':
      return [event.kind, event.token, bytes(event.answer), event.ttlMs];
    case 'unknown':
    case 'not-dispatched':
      return [event.kind, event.token];
    case 'look':
      return [event.kind];
    case 'resolve':
      return [event.kind, event.ttlMs, ...(event.answer === undefined ? [] : [bytes(event.answer)])];
    default:
      return unreachable(event);
  }
}

/** Throws for anything the script does not say: a store that cannot be understood is one that cannot be had. */
function verdictOf(reply: unknown): IdempotencyVerdict {
  const [kind, ...rest] = Array.isArray(reply) ? (reply as unknown[]) : [];
  const name = text(kind);
  switch (name) {
    case 'claimed':
    case 'mismatch':
    case 'absent':
    case 'settled':
    case 'stale':
      return { kind: name };
    case 'in-flight':
      return { kind: name, requestId: text(rest[0]), leaseLeftMs: Number(text(rest[1])) };
    case 'unknown':
      return { kind: name, requestId: text(rest[0]), fingerprint: text(rest[1]) };
    case 'done': {
      const [request, fingerprint, answer] = rest;
      return {
        kind: name,
        requestId: text(request),
        fingerprint: text(fingerprint),
        ...(answer instanceof Buffer ? { answer } : {}),
      };
    }
    default:
      throw new Error('the store holds something that is no idempotency record');
  }
}

function text(value: unknown): string {
  return value instanceof Buffer ? value.toString('latin1') : '';
}

function bytes(answer: Uint8Array): Buffer {
  return Buffer.from(answer.buffer, answer.byteOffset, answer.byteLength);
}
