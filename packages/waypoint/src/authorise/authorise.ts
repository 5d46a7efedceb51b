/**
 * Whether a request may reach its service (l7-and-resilience B1).
 *
 *   in:  facts of a request, its body to look into, the policies of the service
 *   out: a {@link Permit} with what is to be changed on the way, or a refusal that names the policy and its rule
 *
 *   tokens ─▶ (local rate limit) ─▶ DENY ─▶ OPA ─▶ ALLOW ─▶ permit
 *     └ 401, 503     429              └ 403   └ 403, 503, 413  └ 403
 *
 * Z1  Only `authorise` makes a permit, and only for the request it decided about.
 * Z2  What cannot be decided is refused: a policy that has not arrived, an engine that does not answer, an answer that
 *     is none.
 * Z3  Every policy sees the request as the service would: a token that is taken away, and headers only tokens may set,
 *     are gone before anybody reads them; what an OPA policy changes, the next ones and the ALLOW policies see changed.
 * Z4  A refusal says who asked for what and which rule decided; never a query, a body or a token.
 */
import { unreachable } from '@clearmesh/shared/lifecycle/unreachable';
import type { ObjectKey } from '@clearmesh/shared/model/l7/configuration';
import type { Failure } from '../exchange/failure.ts';
import type { SignalSource } from '../exchange/light-signal.ts';
import type { RequestFacts } from '../exchange/request-facts.ts';
import { noChanges } from '../exchange/stage.ts';
import type { Refused, RequestChanges } from '../exchange/stage.ts';
import type { BodyAccess } from './body-access.ts';
import type { JwtAuthenticator, TokensAccepted } from './jwt.ts';
import { l7Facts } from './l7-facts.ts';
import type { L7Facts } from './l7-facts.ts';
import { allowVerdict, denyingPolicy, dryRunDenials } from './l7-policy.ts';
import type { AllowVerdict, Deciding, L7Policies, PolicyNote } from './l7-policy.ts';
import { shown } from './opa-policy.ts';
import type { OpaDecider, OpaOutcome } from './opa-policy.ts';
import type { Decision, Denied, Permit, Permitted } from './permit.ts';
import { changedRequest, mergedChanges } from './request-view.ts';
import type { TokenFacts } from './token-facts.ts';

/** A request whose tokens hold. */
export type Authenticated = {
  readonly kind: 'authenticated';
  /** As policies and service see it (Z3). */
  readonly request: RequestFacts;
  readonly token: TokenFacts | undefined;
  readonly changes: RequestChanges;
};

export type AuthoriserParts = {
  readonly tokens: JwtAuthenticator;
  readonly policies: L7Policies;
  /** The same for connections without HTTP. */
  readonly opaque: L7Policies;
  readonly opa: readonly OpaDecider[];
  /** Policies the service names that are not there (Z2). */
  readonly missing: readonly ObjectKey[];
};

/** What is known beside the request itself. */
export type RequestContext = {
  /** What is left of the caller's deadline, milliseconds. */
  readonly deadlineMs?: number;
};

/** What was decided on the way, before the last word. */
type Passed = {
  readonly changes: RequestChanges;
  readonly responseHeaders: Readonly<Record<string, string>>;
  readonly decision: Decision;
};

const undecided: Decision = { cached: false };
const noHeaders: Readonly<Record<string, string>> = {};

/** Decides for one service, by one configuration. */
export class Authoriser implements Disposable {
  readonly #parts: AuthoriserParts;

  constructor(parts: AuthoriserParts) {
    this.#parts = parts;
  }

  [Symbol.dispose](): void {
    for (const decider of this.#parts.opa) decider[Symbol.dispose]();
  }

  /** The tokens of a request. At once where there are none, or they are known. Rejects with the signal's reason only. */
  authenticate(request: RequestFacts, gone: SignalSource): Authenticated | Refused | Promise<Authenticated | Refused> {
    const accepted = this.#parts.tokens.authenticate(request, gone);
    return accepted instanceof Promise
      ? accepted.then((outcome) => authenticated(request, outcome))
      : authenticated(request, accepted);
  }

  /** DENY, OPA, ALLOW. At once where no OPA policy applies. Rejects with the signal's reason only. */
  authorise(
    asked: Authenticated,
    body: BodyAccess,
    gone: SignalSource,
    context: RequestContext = {},
  ): Permitted | Denied | Promise<Permitted | Denied> {
    const { policies, opa, missing } = this.#parts;
    if (missing.length > 0) return notArrived(asked.request, missing);
    const facts = l7Facts(asked.request, asked.token);
    const notes = dryRunDenials(policies, facts);
    const by = denyingPolicy(policies, facts);
    if (by !== undefined) return deniedBy(asked.request, by, notes);
    const passed: Passed = { changes: asked.changes, responseHeaders: noHeaders, decision: undecided };
    if (opa.length === 0) return conclude(policies, asked, facts, passed, notes);
    return this.#askOpa(asked, body, context, notes, gone.signal);
  }

  /** Whether bytes that are no HTTP may pass: what only a request could tell counts against them (Z2). */
  authoriseOpaque(connection: RequestFacts): Permitted | Denied {
    const { opaque, opa, missing } = this.#parts;
    if (missing.length > 0) return notArrived(connection, missing);
    const [asksRequests] = opa;
    if (asksRequests !== undefined) {
      const { key: policy } = asksRequests.policy;
      return denied(connection, `${policy} judges HTTP requests, and this is none`, { policy, cached: false }, []);
    }
    const facts = l7Facts(connection, undefined);
    const notes = dryRunDenials(opaque, facts);
    const by = denyingPolicy(opaque, facts);
    if (by !== undefined) return deniedBy(connection, by, notes);
    const asked: Authenticated = { kind: 'authenticated', request: connection, token: undefined, changes: noChanges };
    const passed: Passed = { changes: noChanges, responseHeaders: noHeaders, decision: undecided };
    return conclude(opaque, asked, facts, passed, notes);
  }

  async #askOpa(
    asked: Authenticated,
    body: BodyAccess,
    context: RequestContext,
    notes: readonly PolicyNote[],
    signal: AbortSignal,
  ): Promise<Permitted | Denied> {
    let passed: Passed = { changes: asked.changes, responseHeaders: noHeaders, decision: undecided };
    const { token } = asked;
    let { request } = asked;
    for (const decider of this.#parts.opa) {
      const outcome = await decider.decide({ request, token, body, ...context }, signal);
      const next = afterOpa(decider, outcome, request, passed);
      if ('kind' in next) return { ...next, notes };
      passed = next;
      request = changedRequest(asked.request, passed.changes);
    }
    return conclude(this.#parts.policies, { ...asked, request }, l7Facts(request, token), passed, notes);
  }
}

/** The last word: ALLOW policies, and the permit that only this module makes (Z1). */
function conclude(
  policies: L7Policies,
  { request, token }: Authenticated,
  facts: L7Facts,
  passed: Passed,
  noted: readonly PolicyNote[],
): Permitted | Denied {
  const verdict = allowVerdict(policies, facts);
  const notes = verdict.notes.length === 0 ? noted : [...noted, ...verdict.notes];
  if (verdict.kind === 'no-allow-matched') {
    return denied(request, 'ALLOW policies apply to it, and none of them matches', undecided, notes);
  }
  return {
    kind: 'permitted',
    permit: { request } as Permit,
    changes: passed.changes,
    responseHeaders: passed.responseHeaders,
    ...(token === undefined ? {} : { token }),
    notes,
    decision: decisionOf(verdict, passed.decision),
  };
}

function deniedBy(request: RequestFacts, { policy, rule }: Deciding, notes: readonly PolicyNote[]): Denied {
  const decision: Decision = { policy, rule: String(rule), cached: false };
  return denied(request, `rule ${rule} of DENY policy ${policy} matches`, decision, notes);
}

function authenticated(request: RequestFacts, outcome: TokensAccepted | Refused): Authenticated | Refused {
  if (outcome.kind === 'refused') return outcome;
  const { changes, token } = outcome;
  return { kind: 'authenticated', request: changedRequest(request, changes), token, changes };
}

/** The changes of one more OPA policy, or its refusal. */
function afterOpa(
  { policy }: OpaDecider,
  outcome: OpaOutcome,
  request: RequestFacts,
  passed: Passed,
): Passed | Omit<Denied, 'notes'> {
  const named = { policy: policy.key, rule: policy.path };
  if (outcome.kind === 'failed') {
    return { kind: 'refused', failure: outcome.failure, decision: { ...named, cached: false } };
  }
  const { decision, cached, revision } = outcome;
  const metadata = { ...passed.decision.metadata, ...decision.metadata };
  const decided: Decision = { ...named, cached, revision, ...(Object.keys(metadata).length === 0 ? {} : { metadata }) };
  switch (decision.kind) {
    case 'denied': {
      const { status, body, headers, reason } = decision;
      const failure: Failure = {
        kind: 'opa-denied',
        detail: `${shown(request)} is denied by ${policy.key}, rule ${policy.path}${reason === undefined ? '' : `: ${reason}`}`,
        ...named,
        headers,
        ...(status === undefined ? {} : { status }),
        ...(body === undefined ? {} : { body }),
      };
      return { kind: 'refused', failure, decision: decided };
    }
    case 'allowed': {
      const { headers, headersToRemove, queryToRemove, queryToSet, responseHeaders } = decision;
      const asksQuery = queryToRemove.length > 0 || Object.keys(queryToSet).length > 0;
      const changes: RequestChanges = {
        set: headers,
        remove: headersToRemove,
        ...(asksQuery ? { query: { set: queryToSet, remove: queryToRemove } } : {}),
      };
      return {
        changes: mergedChanges(passed.changes, changes),
        responseHeaders: { ...passed.responseHeaders, ...responseHeaders },
        decision: decided,
      };
    }
    default:
      return unreachable(decision);
  }
}

/** The ALLOW rule that matched has the last word; what OPA said beside it stays. */
function decisionOf(verdict: AllowVerdict & { readonly kind: 'allow' }, passed: Decision): Decision {
  if (verdict.by === undefined) return passed;
  return { ...passed, policy: verdict.by.policy, rule: String(verdict.by.rule) };
}

function denied(request: RequestFacts, why: string, decision: Decision, notes: readonly PolicyNote[]): Denied {
  const { policy, rule } = decision;
  const failure: Failure = {
    kind: 'policy-denied',
    detail: `${shown(request)} is denied: ${why}`,
    ...(policy === undefined ? {} : { policy }),
    ...(rule === undefined ? {} : { rule }),
  };
  return { kind: 'refused', failure, decision, notes };
}

function notArrived(request: RequestFacts, missing: readonly ObjectKey[]): Denied {
  const why = `policies of the service have not arrived: ${missing.slice(0, 10).join(', ')}`;
  return denied(request, why, undecided, []);
}
