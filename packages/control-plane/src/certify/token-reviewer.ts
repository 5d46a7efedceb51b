/**
 * `authorization: Bearer <token>` to a caller, by the API server's word.
 *
 * R1  Tokens are kept as hashes, and never reach a log.
 * R2  An answer is believed for half a minute at most, and never beyond the token's own end: the API server refuses a
 *     token once its pod is gone, and so do we soon after.
 * R3  What is kept is bounded, and so is what is asked: callers with one token share one question.
 */
import { createHash } from 'node:crypto';
import { decodeJwt } from 'jose';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { answerText } from '../kubernetes/api-answer.ts';
import { bearerToken } from './bearer-token.ts';
import { reviewedCaller } from './reviewed-caller.ts';
import type { ApiClient } from '../kubernetes/api-client.ts';
import type { Authentication, CallerAuthenticator } from './caller.ts';
import type { ReviewedCaller } from './reviewed-caller.ts';

export type TokenReviewerOptions = {
  /** @default 'istio-ca' */
  readonly audience?: string;
  /** Milliseconds for which a caller is believed. @default 30 000 */
  readonly believedMs?: number;
  /** Milliseconds for which a refusal stands, so that a proxy with a stale token does not cost a call each time. @default 3000 */
  readonly refusedMs?: number;
  /** Answers kept. @default 10 000 */
  readonly maxKept?: number;
};

type Kept = { readonly answer: Authentication; readonly untilMs: number };

type Deps = { readonly api: Pick<ApiClient, 'call'>; readonly clock: Clock };

/** Milliseconds for one review; a proxy that waits longer has gone. */
const reviewMs = 10_000;

export class TokenReviewer implements CallerAuthenticator {
  readonly #options: TokenReviewerOptions;
  readonly #deps: Deps;
  readonly #kept = new Map<string, Kept>();
  readonly #underWay = new Map<string, Promise<Authentication>>();

  constructor(options: TokenReviewerOptions, deps: Deps) {
    this.#options = options;
    this.#deps = deps;
  }

  async authenticate(header: string | null): Promise<Authentication> {
    const bearer = bearerToken(header);
    if (bearer.kind === 'refused') return bearer;
    const hash = createHash('sha256').update(bearer.token).digest('base64');
    const kept = this.#kept.get(hash);
    if (kept !== undefined && kept.untilMs > this.#deps.clock.now()) return kept.answer;
    const asked = this.#underWay.get(hash) ?? this.#ask(bearer.token, hash);
    return asked;
  }

  #ask(token: string, hash: string): Promise<Authentication> {
    const asked = this.#review(token, hash).finally(() => this.#underWay.delete(hash));
    this.#underWay.set(hash, asked);
    return asked;
  }

  async #review(token: string, hash: string): Promise<Authentication> {
    const { audience = 'istio-ca', believedMs = 30_000, refusedMs = 3000 } = this.#options;
    const { api, clock } = this.#deps;
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token, audiences: [audience] } };
    const path = '/apis/authentication.k8s.io/v1/tokenreviews';
    const answer = await api.call({ method: 'POST', path, body, timeoutMs: reviewMs }, never);
    // Not kept: the next call may find the server again.
    if (answer.kind !== 'ok') return { kind: 'refused', reason: `the token could not be reviewed: ${answerText(answer)}` };
    const now = clock.now();
    const believed = believe(reviewedCaller(answer.body, audience), expiryOf(token), now);
    const untilMs = believed.kind === 'caller' ? Math.min(now + believedMs, believed.expiresAtMs) : now + refusedMs;
    this.#keep(hash, { answer: believed, untilMs });
    return believed;
  }

  #keep(hash: string, kept: Kept): void {
    this.#kept.delete(hash);
    this.#kept.set(hash, kept);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > (this.#options.maxKept ?? 10_000) && oldest !== undefined) this.#kept.delete(oldest);
  }
}

function believe(reviewed: ReviewedCaller, expiresAtMs: number, nowMs: number): Authentication {
  if (reviewed.kind === 'refused') return reviewed;
  return expiresAtMs > nowMs ? { ...reviewed, expiresAtMs } : { kind: 'refused', reason: 'the token has expired' };
}

/** Milliseconds since the epoch; the claim is read after the API server vouched for the token. A token without an end ends now. */
function expiryOf(token: string): number {
  try {
    return (decodeJwt(token).exp ?? 0) * 1000;
  } catch {
    return 0;
  }
}

/** A review belongs to every caller with the token, and none of them may end it. */
const never = new AbortController().signal;
