/** Which key a request carries (draft-ietf-httpapi-idempotency-key-header section 2). */
import type { IdempotencyPolicy } from '@clearmesh/shared/model/l7/resilience';
import type { Refused } from '../exchange/stage.ts';
import type { RequestFacts } from '../exchange/request-facts.ts';

export type KeyVerdict =
  /** The policy does not concern this request. */
  | { readonly kind: 'none' }
  /** The service deduplicates by this key: it is forwarded, and an attempt of unknown outcome may be repeated. */
  | { readonly kind: 'native'; readonly key: string }
  | { readonly kind: 'keyed'; readonly key: string }
  | Refused;

const none: KeyVerdict = { kind: 'none' };

/** Characters; a UUID has 36. */
const maxLength = 255;

/** RFC 8941 section 3.3.3: printable ASCII in quotes, quote and backslash escaped. */
const quoted = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])+)"$/;
/** What clients send unquoted: RFC 9110 token characters, and those of base64. No comma: several fields are joined by it. */
const bare = /^[!#$%&'*+\-.^_`|~0-9A-Za-z:/=]+$/;

/** The key, without quotes: quoted or not, it is the same key. `undefined`: none that can be used. */
export function parseIdempotencyKey(text: string): string | undefined {
  const trimmed = text.trim();
  // Quotes and escapes at most double it; longer text is not worth a regular expression.
  if (trimmed.length > 2 * maxLength + 2) return undefined;
  const key = bare.test(trimmed) ? trimmed : quoted.exec(trimmed)?.[1]?.replaceAll(/\\(["\\])/g, '$1');
  return key !== undefined && key.length <= maxLength ? key : undefined;
}

/** What the policy asks of this request's key. */
export function idempotencyKeyOf(policy: IdempotencyPolicy | undefined, request: RequestFacts): KeyVerdict {
  if (policy === undefined || !policy.methods.includes(request.method)) return none;
  const value = request.headers[policy.header];
  if (value === undefined)
    return policy.required ? refused('idempotency-key-missing', `${request.method} needs the header ${policy.header}`) : none;
  const text = typeof value === 'string' ? value : value.length === 1 ? value[0] : undefined;
  const key = text === undefined ? undefined : parseIdempotencyKey(text);
  if (key === undefined)
    return refused(
      'idempotency-key-invalid',
      `${policy.header} must hold one key, a quoted string or a token of at most ${maxLength} characters`,
    );
  return { kind: policy.mode === 'native' ? 'native' : 'keyed', key };
}

function refused(kind: 'idempotency-key-missing' | 'idempotency-key-invalid', detail: string): KeyVerdict {
  return { kind: 'refused', failure: { kind, detail } };
}
