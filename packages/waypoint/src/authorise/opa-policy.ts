/**
 * One OpaPolicy and the engine behind it: what is asked, and what an answer means for the request.
 * Whatever keeps a decision from being had keeps the request from passing.
 */
import type { OpaPolicy } from '@clearmesh/shared/model/l7/opa';
import { delay } from '@clearmesh/shared/lifecycle/clock';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Failure } from '../exchange/failure.ts';
import { headerOf } from '../exchange/request-facts.ts';
import type { RequestFacts } from '../exchange/request-facts.ts';
import type { BodyAccess, PeekedBody } from './body-access.ts';
import { DecisionCache } from './decision-cache.ts';
import { askedBody } from './opa-body.ts';
import type { AskedBody } from './opa-body.ts';
import type { OpaEngine } from './opa-engine.ts';
import { opaInput } from './opa-input.ts';
import type { OpaInput, OpaQuestion } from './opa-input.ts';
import { readResult } from './opa-result.ts';
import type { OpaDecision } from './opa-result.ts';

/** A request, as far as an OPA policy may look at it. */
export type OpaRequest = Pick<OpaQuestion, 'request' | 'token' | 'deadlineMs'> & { readonly body: BodyAccess };

export type OpaOutcome =
  | { readonly kind: 'decided'; readonly decision: OpaDecision; readonly cached: boolean; readonly revision: string }
  | { readonly kind: 'failed'; readonly failure: Failure };

export type OpaDeciderOptions = {
  readonly policy: OpaPolicy;
  /** Namespace of the waypoint. */
  readonly domain: string;
  readonly cluster?: string;
  /** A body that does not come, milliseconds. @default 10 000 */
  readonly bodyMs?: number;
};

export class OpaDecider implements Disposable {
  readonly policy: OpaPolicy;
  readonly #options: OpaDeciderOptions;
  readonly #engine: OpaEngine;
  readonly #clock: Clock;
  readonly #cache: DecisionCache | undefined;
  readonly #forget: () => void;

  constructor(options: OpaDeciderOptions, deps: { readonly engine: OpaEngine; readonly clock: Clock }) {
    const { cache, body } = options.policy;
    this.policy = options.policy;
    this.#options = options;
    this.#engine = deps.engine;
    this.#clock = deps.clock;
    // A body is no part of a key.
    this.#cache = cache === undefined || body !== undefined ? undefined : new DecisionCache(cache, deps);
    this.#forget = deps.engine.onActivation(() => this.#cache?.clear());
  }

  [Symbol.dispose](): void {
    this.#forget();
    this.#cache?.clear();
  }

  /** Rejects with the signal's reason only. */
  async decide(asked: OpaRequest, signal: AbortSignal): Promise<OpaOutcome> {
    const body = await this.#body(asked, signal);
    if (body !== undefined && 'kind' in body) return body;
    const { policy, domain, cluster } = this.#options;
    const input = opaInput({
      request: asked.request,
      token: asked.token,
      domain,
      contextExtensions: policy.contextExtensions,
      ...(cluster === undefined ? {} : { cluster }),
      ...(asked.deadlineMs === undefined ? {} : { deadlineMs: asked.deadlineMs }),
      ...(body === undefined ? {} : { body }),
    });
    if (input.kind === 'unreadable') {
      const detail = `${shown(asked.request)} cannot be shown to a policy: ${input.reason}`;
      return this.#failed({ kind: 'bad-request', detail });
    }
    const key = this.#keyOf(input, asked);
    const kept = key === undefined ? undefined : this.#cache?.get(key);
    if (kept !== undefined) return { kind: 'decided', decision: kept.decision, revision: kept.revision, cached: true };
    return this.#ask(input, asked, key, signal);
  }

  async #ask(input: OpaInput, asked: OpaRequest, key: string | undefined, signal: AbortSignal): Promise<OpaOutcome> {
    const askedOf = this.#engine.revision;
    const evaluation = await this.#engine.evaluate(input.text(), signal);
    signal.throwIfAborted();
    if (evaluation.kind === 'unavailable') return this.#unavailable(asked.request, evaluation.reason);
    const decision = readResult(evaluation.value);
    if (decision.kind === 'unusable') return this.#unavailable(asked.request, decision.reason);
    const { revision } = evaluation;
    // Not where another revision began to answer meanwhile: the key would be the wrong one's.
    if (key !== undefined && askedOf === revision && this.#engine.revision === revision) {
      this.#cache?.keep(key, decision, revision, asked.token?.expiresAtMs);
    }
    return { kind: 'decided', decision, revision, cached: false };
  }

  /** `undefined` where decisions are not kept. */
  #keyOf({ document }: OpaInput, { request, token }: OpaRequest): string | undefined {
    if (this.#cache === undefined || !this.#engine.cacheable) return undefined;
    return this.#cache.keyOf({
      document,
      revision: this.#engine.revision,
      path: this.policy.path,
      service: `${request.called.key}:${request.called.port}`,
      principal: request.caller.identity,
      claims: token?.claims,
    });
  }

  /** `undefined` where the policy does not read it, or a gRPC call would wait for an answer before it ends. */
  async #body({ request, body }: OpaRequest, signal: AbortSignal): Promise<AskedBody | OpaOutcome | undefined> {
    const { policy } = this.#options;
    if (policy.body === undefined || request.grpc) return undefined;
    const { maxBytes, allowPartial } = policy.body;
    const announced = Number(headerOf(request.headers, 'content-length') ?? 0);
    if (!allowPartial && announced > maxBytes) return this.#tooLarge(maxBytes);
    const peeked = await this.#peek(body, maxBytes, signal);
    if (peeked === 'late') {
      return this.#failed({ kind: 'bad-request', status: 408, detail: `the body of ${shown(request)} did not come in time` });
    }
    if (peeked.kind === 'gone') {
      return this.#failed({ kind: 'caller-gone', detail: 'the caller left before its body was complete' });
    }
    if (peeked.truncated && !allowPartial) return this.#tooLarge(maxBytes);
    return askedBody(peeked.bytes, peeked.truncated);
  }

  async #peek(body: BodyAccess, maxBytes: number, signal: AbortSignal): Promise<PeekedBody | 'late'> {
    const ended = new AbortController();
    const either = AbortSignal.any([signal, ended.signal]);
    const late = delay(this.#clock, this.#options.bodyMs ?? 10_000, either).then(
      () => 'late' as const,
      () => 'late' as const,
    );
    const peeking = body.peek(maxBytes, either);
    try {
      return await Promise.race([peeking, late]);
    } finally {
      ended.abort();
      peeking.catch(() => {});
      signal.throwIfAborted();
    }
  }

  #tooLarge(maxBytes: number): OpaOutcome {
    return this.#failed({
      kind: 'body-too-large',
      detail: `${this.policy.key} reads bodies of ${maxBytes} bytes at most; raise body.maxBytes, or set body.allowPartial`,
    });
  }

  #unavailable(request: RequestFacts, reason: string): OpaOutcome {
    return this.#failed({
      kind: 'pdp-unavailable',
      detail: `${shown(request)} has no decision of ${this.policy.key}: ${reason}`,
      headers: { 'x-mesh-denied': 'pdp-unavailable' },
    });
  }

  #failed(failure: Failure): OpaOutcome {
    return { kind: 'failed', failure: { ...failure, policy: this.policy.key, rule: this.policy.path } };
  }
}

/** Never the query: it may hold secrets. Bytes that are no HTTP have no method. */
export function shown({ caller, called, method, path }: RequestFacts): string {
  const asked = method === '' ? 'a connection' : `${method.slice(0, 20)} ${path.slice(0, 200)}`;
  return `${asked} of ${caller.identity} to ${called.hostname}`;
}
