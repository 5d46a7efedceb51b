/** Evidence of a decision: forwarding needs a Permit, and only `authorise()` makes one. */
import type { ObjectKey } from '@clearmesh/shared/model/l7/configuration';
import type { RequestFacts } from '../exchange/request-facts.ts';
import type { Refused, RequestChanges } from '../exchange/stage.ts';
import type { PolicyNote } from './l7-policy.ts';
import type { TokenFacts } from './token-facts.ts';

declare const brand: unique symbol;

export type Permit = {
  readonly [brand]: 'Permit';
  /** As it was decided about: with all changes. */
  readonly request: RequestFacts;
};

/** What decided; for log, metrics and audit. */
export type Decision = {
  /** Absent where no policy applies, or none of the ALLOW policies matches. */
  readonly policy?: ObjectKey;
  /** Index of the rule, or path of the OPA rule. */
  readonly rule?: string;
  /** An OPA policy was not asked, since it had answered the same question lately. */
  readonly cached: boolean;
  /** Of the OPA policy that was asked last. */
  readonly revision?: string;
  /** `dynamic_metadata` of OPA policies. */
  readonly metadata?: Readonly<Record<string, unknown>>;
};

export type Permitted = {
  readonly kind: 'permitted';
  readonly permit: Permit;
  /** To the request, on its way to the service. */
  readonly changes: RequestChanges;
  /** For the answer, whoever gives it. */
  readonly responseHeaders: Readonly<Record<string, string>>;
  /** Absent for a request without a token. */
  readonly token?: TokenFacts;
  readonly notes: readonly PolicyNote[];
  readonly decision: Decision;
};

export type Denied = Refused & { readonly notes: readonly PolicyNote[]; readonly decision: Decision };
