/** The `when` keys of Istio's AuthorizationPolicy. */
import type { StringMatch } from '@clearmesh/shared/model/authorization';
import type { L7Condition } from '@clearmesh/shared/model/l7/authorization';
import * as fields from './l7-fields.ts';
import { fieldChecks, unusable } from './l7-match.ts';
import type { Check, Field, RuleContext } from './l7-match.ts';
import { parseStringMatch } from '@clearmesh/shared/policy/string-match';
import { textMatches } from './l7-text.ts';
import type { Claims } from './token-facts.ts';

/** What the key stands for, as checks on a request. */
export function conditionChecks(condition: L7Condition, context: RuleContext): readonly Check[] {
  const { key, values, notValues } = condition;
  const asked = (values?.length ?? 0) + (notValues?.length ?? 0) > 0;
  if (!asked) return [unusable(context)];
  const checks = <Matcher>(field: Field<Matcher>): readonly Check[] => fieldChecks(values, notValues, field, context);
  switch (key) {
    case 'source.ip':
    case 'remote.ip':
      return checks(fields.sourceIp);
    case 'source.namespace':
      return checks(fields.namespace);
    case 'source.principal':
      return checks(fields.principal);
    case 'source.serviceAccount':
      return checks(fields.serviceAccount(context.namespace));
    case 'request.auth.principal':
      return checks(fields.requestPrincipal);
    case 'request.auth.audiences':
      return checks(claim(['aud']));
    case 'request.auth.presenter':
      return checks(claim(['azp']));
    case 'destination.ip':
      return checks(fields.destinationIp);
    case 'destination.port':
      return checks(fields.port);
    // The application's own TLS ends at the application: there is no name to compare.
    case 'connection.sni':
      return checks({ parse: parseStringMatch, matches: () => false });
    default:
      return named(key, checks) ?? [unusable(context)];
  }
}

const HEADER = 'request.headers[';
const CLAIMS = 'request.auth.claims[';

/** Keys with names in brackets, `undefined` for any other. */
function named(key: string, checks: (field: Field<StringMatch>) => readonly Check[]): readonly Check[] | undefined {
  if (!key.endsWith(']')) return undefined;
  if (key.startsWith(HEADER)) {
    const name = key.slice(HEADER.length, -1);
    return /^[\w!#$%&'*+.^`|~-]+$/.test(name) ? checks(header(name.toLowerCase())) : undefined;
  }
  if (!key.startsWith(CLAIMS)) return undefined;
  const names = key.slice(CLAIMS.length, -1).split('][');
  return names.every((name) => name !== '' && !/[[\]]/.test(name)) ? checks(claim(names)) : undefined;
}

/** A header that is there matches `*`, even an empty one. */
function header(name: string): Field<StringMatch> {
  return {
    parse: parseStringMatch,
    matches: (match, { request }) => {
      const value = request.headers[name];
      if (value === undefined) return false;
      if (match.kind === 'presence') return true;
      return typeof value === 'string' ? textMatches(match, value) : value.some((one) => textMatches(match, one));
    },
  };
}

/** RFC 9068 section 2.2.3 and RFC 8693 section 4.2: words in one string. */
const spaceDelimited: ReadonlySet<string> = new Set(['scope', 'permission']);

/** Strings and lists of strings; other claims match nothing, as with Istio. */
function claim(names: readonly string[]): Field<StringMatch> {
  const words = names.length === 1 && spaceDelimited.has(names[0] ?? '');
  return {
    parse: parseStringMatch,
    matches: (match, { token }) => {
      const value = token === undefined ? undefined : claimAt(token.claims, names);
      if (typeof value === 'string') {
        return textMatches(match, value) || (words && value.split(' ').some((word) => textMatches(match, word)));
      }
      return Array.isArray(value) && value.some((one) => typeof one === 'string' && textMatches(match, one));
    },
  };
}

/** A nested claim, own properties only. */
export function claimAt(claims: Claims, names: readonly string[]): unknown {
  let value: unknown = claims;
  for (const name of names) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}
