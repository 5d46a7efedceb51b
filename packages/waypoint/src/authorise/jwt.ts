/**
 * Tokens of a request (control-plane-contract section 4.5, RequestAuthentication): each one presented must hold; none
 * presented is no fault. The rule is found by the issuer the token claims, and then decides whether it is true.
 *
 * J1  An object that cannot be read vouches for no token: what is presented where it looks, and no other rule vouches for,
 *     is refused in its name. Its headers are dropped as ever.
 * J2  Where not even that can be read, every request is refused: a token that nobody looks for would be none, and a header
 *     that nobody drops would be believed.
 */
import { outputHeaders } from '@clearmesh/shared/model/l7/jwt';
import type { JwtRule, RequestAuthentication, UnreadJwtRule } from '@clearmesh/shared/model/l7/jwt';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Failure } from '../exchange/failure.ts';
import type { SignalSource } from '../exchange/light-signal.ts';
import type { RequestFacts } from '../exchange/request-facts.ts';
import { noChanges } from '../exchange/stage.ts';
import type { Refused, RequestChanges } from '../exchange/stage.ts';
import type { KeySource } from './jwks-remote.ts';
import { claimHeader, claimsFault, tokenFacts } from './jwt-claims.ts';
import { unverifiedIssuer } from './jwt-keys.ts';
import type { KeySet, SignatureVerdict } from './jwt-keys.ts';
import { presentedTokens, watchedPlaces } from './jwt-places.ts';
import type { PresentedToken, WatchedPlace } from './jwt-places.ts';
import type { Claims, TokenFacts } from './token-facts.ts';

/** Tokens beyond these are refused unread. */
const maxTokens = 4;
const maxTokenLength = 16_384;

export type TokensAccepted = {
  readonly kind: 'accepted';
  /** Of the first token in the order of the places; absent without any. */
  readonly token?: TokenFacts;
  readonly changes: RequestChanges;
};

/** A rule with its keys and the object it stands in. */
type Rule = {
  readonly kind: 'read';
  readonly jwt: JwtRule;
  readonly policy: string;
  readonly index: number;
  readonly keys: KeySource;
};
/** One that cannot be read (J1). */
type Unread = { readonly kind: 'unread'; readonly jwt: UnreadJwtRule; readonly policy: string };
type Watching = Rule | Unread;
type Verified = {
  readonly kind: 'verified';
  readonly rule: Rule;
  readonly presented: PresentedToken<Watching>;
  readonly claims: Claims;
};

export class JwtAuthenticator {
  readonly #clock: Clock;
  readonly #places: readonly WatchedPlace<Watching>[];
  /** The object because of which nobody passes (J2). */
  readonly #closedBy: string | undefined;
  /** Headers only these rules may set: whatever the network says in them is dropped. */
  readonly #outputs: readonly string[];
  readonly #withoutToken: TokensAccepted;

  constructor(
    objects: readonly RequestAuthentication[],
    deps: { readonly clock: Clock; readonly keysOf: (rule: JwtRule) => KeySource },
  ) {
    this.#clock = deps.clock;
    const rules = objects.flatMap((object) => watching(object, deps.keysOf));
    this.#closedBy = objects.find((object) => 'unread' in object && object.unread === 'all')?.key;
    this.#places = watchedPlaces(rules);
    this.#outputs = [...new Set(rules.flatMap(outputsOf))];
    this.#withoutToken = {
      kind: 'accepted',
      changes: this.#outputs.length === 0 ? noChanges : { set: {}, remove: this.#outputs },
    };
  }

  authenticate(request: RequestFacts, gone: SignalSource): TokensAccepted | Refused | Promise<TokensAccepted | Refused> {
    if (this.#closedBy !== undefined) return closed(request, this.#closedBy);
    const tokens = presentedTokens(this.#places, request);
    return tokens.length === 0 ? this.#withoutToken : this.#verifyAll(tokens, request, gone.signal);
  }

  async #verifyAll(
    tokens: readonly PresentedToken<Watching>[],
    request: RequestFacts,
    signal: AbortSignal,
  ): Promise<TokensAccepted | Refused> {
    if (tokens.length > maxTokens) return invalid(`the request has ${tokens.length} tokens, ${maxTokens} are read`, request);
    const verified: Verified[] = [];
    for (const presented of tokens) {
      const outcome = await this.#verify(presented, request, signal);
      if (outcome.kind === 'refused') return outcome;
      verified.push(outcome);
    }
    return this.#accept(verified);
  }

  async #verify(presented: PresentedToken<Watching>, request: RequestFacts, signal: AbortSignal): Promise<Verified | Refused> {
    const { token, from } = presented;
    const unread = from.rules.find(({ kind }) => kind === 'unread');
    const issuer = token.length > maxTokenLength ? undefined : unverifiedIssuer(token);
    if (issuer === undefined) return invalid('it is no JWT with an issuer', request, unread);
    let fault = unread === undefined ? 'its issuer is not known' : `${unread.policy} cannot be read`;
    let blamed: Watching | undefined = unread;
    for (const rule of from.rules) {
      if (rule.kind === 'unread' || rule.jwt.issuer !== issuer) continue;
      blamed = rule;
      const verdict = await signatureOf(token, rule.keys, signal);
      if (verdict === undefined) return keysMissing(rule);
      if (verdict.kind === 'bad') fault = verdict.reason;
      else if (verdict.kind === 'unknown-key') fault = 'it is signed with a key its issuer does not publish';
      else {
        const wrong = claimsFault(verdict.claims, rule.jwt, this.#clock.now());
        if (wrong === undefined) return { kind: 'verified', rule, presented, claims: verdict.claims };
        fault = wrong;
      }
    }
    return invalid(fault, request, blamed);
  }

  #accept(verified: readonly Verified[]): TokensAccepted {
    const set: Record<string, string> = {};
    const remove = new Set(this.#outputs);
    const params: string[] = [];
    for (const { rule, presented, claims } of verified) {
      const { place } = presented.from;
      if (!rule.jwt.forwardOriginalToken) {
        if (place.kind === 'header') remove.add(place.name);
        else params.push(place.name);
      }
      if (rule.jwt.outputPayloadToHeader !== undefined) {
        set[rule.jwt.outputPayloadToHeader.toLowerCase()] = presented.token.split('.')[1] ?? '';
      }
      for (const { header, claim } of rule.jwt.outputClaimToHeaders) {
        const value = claimHeader(claims, claim);
        if (value !== undefined) set[header.toLowerCase()] = value;
      }
    }
    for (const name of Object.keys(set)) remove.delete(name);
    const [first] = verified;
    return {
      kind: 'accepted',
      ...(first === undefined ? {} : { token: tokenFacts(first.claims) }),
      changes: { set, remove: [...remove], ...(params.length === 0 ? {} : { query: { set: {}, remove: params } }) },
    };
  }
}

/** `undefined` where there are no keys to judge by. */
async function signatureOf(token: string, source: KeySource, signal: AbortSignal): Promise<SignatureVerdict | undefined> {
  const keys = await source.current(signal);
  if (keys === undefined) return undefined;
  const verdict = await keys.verify(token);
  if (verdict.kind !== 'unknown-key') return verdict;
  const other: KeySet | undefined = await source.other(keys, signal);
  return other === undefined || other === keys ? verdict : other.verify(token);
}

function watching(object: RequestAuthentication, keysOf: (rule: JwtRule) => KeySource): readonly Watching[] {
  const { key: policy } = object;
  if ('rules' in object) return object.rules.map((jwt, index) => ({ kind: 'read', jwt, index, policy, keys: keysOf(jwt) }));
  return object.unread === 'all' ? [] : object.unread.map((jwt) => ({ kind: 'unread', jwt, policy }));
}

function outputsOf(rule: Watching): readonly string[] {
  return rule.kind === 'unread' ? rule.jwt.outputs : outputHeaders(rule.jwt);
}

function invalid(reason: string, request: RequestFacts, rule?: Watching): Refused {
  const detail = `the token of ${request.caller.identity} for ${request.called.hostname} is not accepted: ${reason}`;
  const blamed = rule === undefined ? {} : { policy: rule.policy, ...(rule.kind === 'read' ? { rule: String(rule.index) } : {}) };
  return refused(detail, reason, request, blamed);
}

/** J2 */
function closed(request: RequestFacts, policy: string): Refused {
  const reason = `${policy} cannot be read`;
  const detail = `the request of ${request.caller.identity} for ${request.called.hostname} is not accepted: ${reason}, so that nobody knows its tokens; its status says what is wrong`;
  return refused(detail, reason, request, { policy });
}

/** RFC 6750 section 3: the reason is a sentence of ours, never the caller's text. */
function refused(detail: string, reason: string, { called }: RequestFacts, blamed: Pick<Failure, 'policy' | 'rule'>): Refused {
  const challenge = `Bearer realm="${called.hostname}", error="invalid_token", error_description="${reason}"`;
  return {
    kind: 'refused',
    failure: { kind: 'jwt-invalid', detail, headers: { 'www-authenticate': challenge }, ...blamed },
  };
}

function keysMissing(rule: Rule): Refused {
  return {
    kind: 'refused',
    failure: {
      kind: 'jwks-unavailable',
      detail: `no keys of issuer ${rule.jwt.issuer}: check ${rule.jwt.jwksUri ?? 'the jwks of the rule'}`,
      policy: rule.policy,
      rule: String(rule.index),
    },
  };
}
