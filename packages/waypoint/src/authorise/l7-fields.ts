/** How each field of a rule is read and compared; sources, operations and conditions share them. */
import type { ServiceAccountMatch, StringMatch } from '@clearmesh/shared/model/authorization';
import { cidrContains, ipToBytes, parseIp } from '@clearmesh/shared/model/ip-address';
import type { Cidr } from '@clearmesh/shared/model/ip-address';
import { namespaceMatches, principalMatches, serviceAccountMatches } from '@clearmesh/shared/policy/match-identity';
import { hostOf } from './l7-facts.ts';
import type { Field } from './l7-match.ts';
import { parsePath, pathMatches } from './l7-path.ts';
import type { PathMatch } from './l7-path.ts';
import { parseStringMatch } from '@clearmesh/shared/policy/string-match';
import { textMatches } from './l7-text.ts';

/** `td/ns/x/sa/y`. */
export const principal: Field<StringMatch> = {
  parse: parseStringMatch,
  matches: (match, { request }) => principalMatches(match, request.caller.identity),
};

export const namespace: Field<StringMatch> = {
  parse: parseStringMatch,
  matches: (match, { request }) => namespaceMatches(match, request.caller.identity),
};

const SCHEME_LENGTH = 'spiffe://'.length;

export const trustDomain: Field<StringMatch> = {
  parse: parseStringMatch,
  matches: (match, { request: { caller } }) =>
    textMatches(match, caller.identity.slice(SCHEME_LENGTH, caller.identity.indexOf('/', SCHEME_LENGTH))),
};

/** `ns/sa`, or `sa` of the policy's own namespace; exact. */
export function serviceAccount(policyNamespace: string): Field<ServiceAccountMatch> {
  return {
    parse: (text) => {
      const slash = text.indexOf('/');
      if (text === '' || text.includes('*')) return undefined;
      if (slash === -1) return { namespace: policyNamespace, serviceAccount: text };
      return { namespace: text.slice(0, slash), serviceAccount: text.slice(slash + 1) };
    },
    matches: (match, { request }) => serviceAccountMatches(match, request.caller.identity),
  };
}

export const requestPrincipal: Field<StringMatch> = {
  parse: parseStringMatch,
  matches: (match, { token }) => textMatches(match, token?.principal),
};

/**
 * The TCP peer of the tunnel. `remote.ip` is the same address: Istio reads X-Forwarded-For only behind trusted proxies,
 * and a mesh has none.
 */
export const sourceIp: Field<Cidr> = {
  parse: parseBlock,
  matches: (block, { request }) => cidrContains(block, request.caller.address.ip),
};

export const destinationIp: Field<Cidr> = {
  parse: parseBlock,
  matches: (block, { request }) => cidrContains(block, request.called.address.ip),
};

/** The service port. */
export const port: Field<number> = {
  parse: (text) => (/^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined),
  matches: (match, { request }) => request.called.port === match,
};

/** A host with a port cannot match, as ports are compared by themselves. */
export const host: Field<StringMatch> = {
  parse: (text) => (/^\[[^\]]*\]$|^[^:]*$/.test(text) ? parseStringMatch(hostOf(text)) : undefined),
  matches: (match, facts) => textMatches(match, facts.host),
};

/** RFC 9110 section 9.1: methods are case-sensitive. */
export const method: Field<StringMatch> = {
  parse: (text) => (text === '*' ? { kind: 'presence' } : { kind: 'exact', value: text }),
  matches: (match, { request }) => textMatches(match, request.method),
};

export const path: Field<PathMatch> = {
  parse: parsePath,
  matches: (match, { request }) => pathMatches(match, request.path),
};

/** An address or a block; IPv4-mapped blocks mean IPv4, as everywhere in the mesh. */
function parseBlock(text: string): Cidr | undefined {
  const [address = '', length, ...rest] = text.split('/');
  const ip = parseIp(address);
  if (ip === undefined || rest.length > 0) return undefined;
  const bytes = ipToBytes(ip);
  if (length === undefined) return { bytes, length: bytes.length * 8 };
  if (!/^(?:0|[1-9]\d{0,2})$/.test(length)) return undefined;
  const prefix = Number(length) - (address.includes(':') && bytes.length === 4 ? 96 : 0);
  return prefix < 0 || prefix > bytes.length * 8 ? undefined : { bytes, length: prefix };
}
