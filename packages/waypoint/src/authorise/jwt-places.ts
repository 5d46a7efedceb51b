/** Where tokens are looked for, and what is found there. */
import type { JwtRule } from '@clearmesh/shared/model/l7/jwt';
import { headerOf } from '../exchange/request-facts.ts';
import type { RequestFacts } from '../exchange/request-facts.ts';

export type TokenPlace =
  | { readonly kind: 'header'; readonly name: string; readonly prefix: string }
  | { readonly kind: 'param'; readonly name: string };

/** A place and the rules that look there, in their order. */
export type WatchedPlace<Rule> = { readonly place: TokenPlace; readonly rules: readonly Rule[] };

type Places = Pick<JwtRule, 'fromHeaders' | 'fromParams'>;

export type PresentedToken<Rule> = { readonly token: string; readonly from: WatchedPlace<Rule> };

const bearer: TokenPlace = { kind: 'header', name: 'authorization', prefix: 'Bearer ' };

/** The places of some rules, each once. */
export function watchedPlaces<Rule extends { readonly jwt: Places }>(rules: readonly Rule[]): readonly WatchedPlace<Rule>[] {
  const places = new Map<string, { readonly place: TokenPlace; readonly rules: Rule[] }>();
  for (const rule of rules) {
    for (const place of placesOf(rule.jwt)) {
      const key = JSON.stringify(place);
      const known = places.get(key);
      if (known === undefined) places.set(key, { place, rules: [rule] });
      else known.rules.push(rule);
    }
  }
  return [...places.values()];
}

/** Every token the request presents in those places. */
export function presentedTokens<Rule>(
  places: readonly WatchedPlace<Rule>[],
  request: Pick<RequestFacts, 'headers' | 'query'>,
): readonly PresentedToken<Rule>[] {
  const found: PresentedToken<Rule>[] = [];
  for (const from of places) {
    if (from.place.kind === 'param') {
      for (const token of paramValues(request.query, from.place.name)) found.push({ token, from });
      continue;
    }
    const token = tokenIn(headerOf(request.headers, from.place.name), from.place.prefix);
    if (token !== undefined) found.push({ token, from });
  }
  return found;
}

/** The query without some parameters. */
export function queryWithout(query: string, names: readonly string[]): string {
  return query
    .split('&')
    .filter((pair) => !names.includes(nameOf(pair)))
    .join('&');
}

function placesOf({ fromHeaders, fromParams }: Places): readonly TokenPlace[] {
  if (fromHeaders.length === 0 && fromParams.length === 0) return [bearer];
  return [
    ...fromHeaders.map(({ name, prefix }): TokenPlace => ({ kind: 'header', name: name.toLowerCase(), prefix })),
    ...fromParams.map((name): TokenPlace => ({ kind: 'param', name })),
  ];
}

/** RFC 9110 section 11.1: schemes are case-insensitive. Another scheme is no token, hence nothing to refuse. */
function tokenIn(value: string | undefined, prefix: string): string | undefined {
  if (value === undefined || value.length <= prefix.length) return undefined;
  if (prefix !== '' && !sameScheme(value, prefix)) return undefined;
  const token = value.slice(prefix.length).trim();
  return token === '' ? undefined : token;
}

function sameScheme(value: string, prefix: string): boolean {
  return value.startsWith(prefix) || value.slice(0, prefix.length).toLowerCase() === prefix.toLowerCase();
}

function paramValues(query: string, name: string): readonly string[] {
  if (!query.includes('=')) return [];
  return query
    .split('&')
    .filter((pair) => nameOf(pair) === name && pair.includes('='))
    .map((pair) => unescapeForm(pair.slice(pair.indexOf('=') + 1)))
    .filter((value) => value !== '');
}

function nameOf(pair: string): string {
  const equals = pair.indexOf('=');
  return unescapeForm(equals === -1 ? pair : pair.slice(0, equals));
}

/** Text that is not escaped well stays as it is: it is no token, and no name anybody asked for. */
function unescapeForm(text: string): string {
  if (!/[%+]/.test(text)) return text;
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}
