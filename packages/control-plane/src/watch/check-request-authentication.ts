/** What a schema cannot say of a RequestAuthentication. */
import { targetsOf } from '../manifest/target-ref.ts';
import { authorizationTargets } from './check-policy.ts';
import { checkTarget, checkTargets } from './check-target-refs.ts';
import type { JwtRuleManifest, RequestAuthenticationManifest } from '../manifest/request-authentication.ts';
import type { TargetRules } from './check-target-refs.ts';
import type { FieldPath } from '@clearmesh/shared/document/field-path';
import type { Finding } from '@clearmesh/shared/document/finding';

export function checkRequestAuthentication(
  policy: RequestAuthenticationManifest,
  rules: { readonly rootNamespace: string },
): readonly Finding[] {
  const { selector, targetRef, targetRefs = [], jwtRules = [] } = policy.spec ?? {};
  const targeting: TargetRules = authorizationTargets(policy.metadata.namespace, rules.rootNamespace);
  return [
    ...(targetsOf(policy.spec ?? {}).length === 0 ? [unbound(selector !== undefined)] : []),
    ...(targetRef === undefined ? [] : checkTarget(targetRef, ['spec', 'targetRef'], targeting)),
    ...checkTargets(targetRefs, ['spec', 'targetRefs'], targeting),
    ...jwtRules.flatMap((rule, index) => checkJwtRule(rule, ['spec', 'jwtRules', index])),
  ];
}

function unbound(selects: boolean): Finding {
  return {
    path: selects ? ['spec', 'selector'] : ['spec'],
    message: 'reaches no waypoint, and node proxies cannot see tokens, so that the policy would do nothing',
    remedy: 'Use spec.targetRefs with the Service or the Gateway.',
  };
}

function checkJwtRule(rule: JwtRuleManifest, path: FieldPath): readonly Finding[] {
  const { jwks, jwksUri } = rule;
  if (jwks === undefined && jwksUri === undefined) {
    return [{ path: [...path, 'jwksUri'], message: 'is missing', remedy: 'Say where the keys are, or give them as jwks.' }];
  }
  if (jwks !== undefined && jwksUri !== undefined) {
    return [{ path: [...path, 'jwksUri'], message: 'contradicts jwks beside it', remedy: 'Keep one of the two.' }];
  }
  return jwks === undefined ? checkUri(jwksUri ?? '', [...path, 'jwksUri']) : checkKeys(jwks, [...path, 'jwks']);
}

function checkUri(value: string, path: FieldPath): readonly Finding[] {
  const url = URL.parse(value);
  if (url !== null && (url.protocol === 'https:' || url.protocol === 'http:') && url.username === '') return [];
  return [{ path, value, message: 'must be an http or https URL without credentials', remedy: 'Write https://issuer/path.' }];
}

function checkKeys(text: string, path: FieldPath): readonly Finding[] {
  const finding = { path, message: 'must be a JSON Web Key Set', remedy: 'Write { "keys": [ … ] } as text.' };
  try {
    const value: unknown = JSON.parse(text);
    const keys = value !== null && typeof value === 'object' && 'keys' in value ? value.keys : undefined;
    return Array.isArray(keys) && keys.length > 0 ? [] : [finding];
  } catch {
    return [finding];
  }
}
