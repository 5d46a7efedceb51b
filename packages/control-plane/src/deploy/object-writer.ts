/**
 * Objects into the cluster, one at a time: by server-side apply, with one field manager, and only what has changed.
 *
 * In: the object as it is to be. Out: {@link WriteResult}.
 * A1  What stands there without our mark is somebody else's: it is left as it is, and named.
 * A2  An object that was sent and has not changed since is not sent again.
 * A3  Where another writer keeps changing it back, we wait, and say so.
 */
import { answerText } from '../kubernetes/api-answer.ts';
import { objectPath } from '../kubernetes/resource.ts';
import { keyOf } from './kubernetes-object.ts';
import { readLiveObject, resourceOf } from './deployed-kinds.ts';
import type { ApiAnswer } from '../kubernetes/api-answer.ts';
import type { ApiClient } from '../kubernetes/api-client.ts';
import type { ApiObject, Resource } from '../kubernetes/resource.ts';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { KubernetesObject } from './kubernetes-object.ts';
import type { LiveObject } from './deployed-kinds.ts';

export type WriteResult =
  /** As it is to be; `live` where it was sent. */
  | { readonly kind: 'done'; readonly live?: LiveObject }
  /** Somebody else's. */
  | { readonly kind: 'foreign' }
  | { readonly kind: 'failed'; readonly afterMs?: number };

type Deps = {
  readonly api: Pick<ApiClient, 'call'>;
  readonly clock: Clock;
  readonly logger: Logger;
};

/** One for everything that is made for Gateways. */
const fieldManager = 'clearmesh-waypoint-deployer';
/** So often within the window, and the next change is another writer's will. */
const maxApplies = 5;
const windowMs = 60_000;

type Sent = { readonly text: string; readonly print: string; readonly atMs: readonly number[] };

export class ObjectWriter {
  readonly #deps: Deps;
  readonly #sent = new Map<string, Sent>();
  readonly #foreign = new Set<string>();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** @param live as the watch has it; absent where it knows of none of ours */
  async apply(object: KubernetesObject, live: LiveObject | undefined, signal: AbortSignal): Promise<WriteResult> {
    const key = keyOf(object);
    const text = JSON.stringify(object);
    const sent = this.#sent.get(key);
    // A2
    if (live !== undefined && sent?.text === text && sent.print === live.print) return { kind: 'done' };
    const lately = (sent?.atMs ?? []).filter((atMs) => atMs > this.#deps.clock.monotonicMs() - windowMs);
    if (sent?.text === text && lately.length >= maxApplies) return this.#recvContested(key, lately);
    const resource = resourceOf(object.kind);
    if (live === undefined) {
      const found = await this.#find(resource, object, signal);
      if (found !== undefined) return found;
    }
    const answer = await this.#call('PATCH', resource, object, signal);
    if (answer.kind !== 'ok') return this.#recvFailed(key, answer);
    const written = readLiveObject(answer.body as ApiObject);
    const { print } = written;
    if (print !== sent?.print || text !== sent.text) this.#deps.logger.info('applied', { object: key });
    this.#sent.set(key, { text, print, atMs: [...lately, this.#deps.clock.monotonicMs()].slice(-maxApplies) });
    return { kind: 'done', live: written };
  }

  /** Of an object of ours; one that changed in between stays, and is looked at again. */
  async remove(live: LiveObject, signal: AbortSignal): Promise<WriteResult> {
    const path = objectPath(resourceOf(live.kind), live);
    const body = { kind: 'DeleteOptions', apiVersion: 'v1', preconditions: { uid: live.uid } };
    const answer = await this.#deps.api.call({ method: 'DELETE', path, body }, signal);
    this.#sent.delete(live.key);
    const gone = answer.kind === 'refused' && (answer.status === 404 || answer.status === 409);
    if (answer.kind !== 'ok' && !gone) return this.#recvFailed(live.key, answer);
    this.#deps.logger.info('removed, since no Gateway asks for it any more', { object: live.key });
    return { kind: 'done' };
  }

  /** It was sent, and stands there no longer as far as the watch knows. */
  hasVanished(key: string, live: LiveObject | undefined): boolean {
    return live === undefined && this.#sent.has(key);
  }

  /** Nothing is remembered of it any more. */
  forget(key: string): void {
    this.#sent.delete(key);
    this.#foreign.delete(key);
  }

  /** A1. `undefined`: nothing is in the way. */
  async #find(resource: Resource, object: KubernetesObject, signal: AbortSignal): Promise<WriteResult | undefined> {
    const answer = await this.#deps.api.call({ path: objectPath(resource, object.metadata) }, signal);
    if (answer.kind === 'refused' && answer.status === 404) return undefined;
    const key = keyOf(object);
    if (answer.kind !== 'ok') return this.#recvFailed(key, answer);
    const { ours } = readLiveObject({ ...(answer.body as ApiObject), kind: resource.kind });
    if (ours) return undefined;
    if (!this.#foreign.has(key))
      this.#deps.logger.warn(
        'an object of this name is not ours, and is left as it is; rename the Gateway, or remove the object',
        {
          object: key,
        },
      );
    this.#foreign.add(key);
    return { kind: 'foreign' };
  }

  #call(method: 'PATCH', resource: Resource, object: KubernetesObject, signal: AbortSignal): Promise<ApiAnswer> {
    const path = objectPath(resource, object.metadata);
    const query = { fieldManager, force: 'true' };
    return this.#deps.api.call({ method, path, query, body: object, contentType: 'application/apply-patch+yaml' }, signal);
  }

  #recvFailed(key: string, answer: Exclude<ApiAnswer, { readonly kind: 'ok' }>): WriteResult {
    this.#deps.logger.warn('an object of a waypoint could not be written', { object: key, error: answerText(answer) });
    const afterMs = answer.kind === 'refused' ? answer.retryAfterMs : undefined;
    return { kind: 'failed', ...(afterMs === undefined ? {} : { afterMs }) };
  }

  #recvContested(key: string, lately: readonly number[]): WriteResult {
    this.#deps.logger.warn('another writer keeps changing an object of a waypoint; it is left alone for a minute', {
      object: key,
    });
    const [first = 0] = lately;
    return { kind: 'failed', afterMs: Math.max(0, first + windowMs - this.#deps.clock.monotonicMs()) };
  }
}
