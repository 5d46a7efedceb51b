/** What a token whose signature holds must say, and what of it the service is told. Pure. */
import type { JwtRule } from '@clearmesh/shared/model/l7/jwt';
import { claimAt } from './l7-condition.ts';
import type { Claims, TokenFacts } from './token-facts.ts';

/** Clocks of issuers differ from ours, milliseconds. */
export const leewayMs = 30_000;

/** Why the claims are not accepted, fit for `error_description`; `undefined` when they are. */
export function claimsFault(claims: Claims, rule: Pick<JwtRule, 'issuer' | 'audiences'>, nowMs: number): string | undefined {
  const { iss, exp, nbf } = claims;
  if (iss !== rule.issuer) return 'the issuer is not the one expected';
  if (exp !== undefined && typeof exp !== 'number') return 'exp is no number';
  if (nbf !== undefined && typeof nbf !== 'number') return 'nbf is no number';
  if (exp !== undefined && exp * 1_000 + leewayMs <= nowMs) return 'the token has expired';
  if (nbf !== undefined && nbf * 1_000 - leewayMs > nowMs) return 'the token is not valid yet';
  if (rule.audiences.length > 0 && !audiencesOf(claims).some((one) => typeof one === 'string' && rule.audiences.includes(one))) {
    return 'the token is for another audience';
  }
  return undefined;
}

export function tokenFacts(claims: Claims): TokenFacts {
  const { iss, sub, exp } = claims;
  const principal = typeof iss === 'string' && typeof sub === 'string' && sub !== '' ? `${iss}/${sub}` : '';
  return { principal, claims, ...(typeof exp === 'number' ? { expiresAtMs: exp * 1_000 } : {}) };
}

/** The claims of a JWT's second part; `undefined` for anything but an object. */
export function parseClaims(payload: Uint8Array | string): Claims | undefined {
  try {
    const text = typeof payload === 'string' ? payload : new TextDecoder('utf-8', { fatal: true }).decode(payload);
    const claims: unknown = JSON.parse(text);
    return typeof claims === 'object' && claims !== null && !Array.isArray(claims) ? (claims as Claims) : undefined;
  } catch {
    return undefined;
  }
}

/** The header that carries a claim, where the claim can be carried: texts, numbers, truth values. */
export function claimHeader(claims: Claims, name: string): string | undefined {
  const value = claimAt(claims, [name]) ?? claimAt(claims, name.split('.'));
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  // Fields are bytes (RFC 9110 section 5.5); Node writes a string's characters as such.
  const text = typeof value === 'string' ? Buffer.from(value, 'utf8').toString('latin1') : undefined;
  return text !== undefined && /^[\t\u0020-\u007e\u0080-\u00ff]*$/.test(text) ? text : undefined;
}

function audiencesOf({ aud }: Claims): readonly unknown[] {
  return Array.isArray(aud) ? aud : [aud];
}
