/** Policies other than ResiliencePolicy, with their defaults, as a waypoint enforces them. */
import type { L7AuthorizationPolicy, L7Rule } from '@clearmesh/shared/model/l7/authorization';
import type { FaultExperiment } from '@clearmesh/shared/model/l7/fault';
import { outputHeaders } from '@clearmesh/shared/model/l7/jwt';
import type { JwtRule, RequestAuthentication, UnreadJwtRule } from '@clearmesh/shared/model/l7/jwt';
import type { OpaEngine, OpaPolicy } from '@clearmesh/shared/model/l7/opa';
import type { RateLimit, RateLimitKeyPart, RateLimitPolicy } from '@clearmesh/shared/model/l7/rate-limit';
import { durationMs } from '../../manifest/duration.ts';
import { parseTime } from '../../manifest/time.ts';
import { isDryRun } from '../authorization.ts';
import { deriveHttpMatch } from './http-match.ts';
import { objectKey } from './object-key.ts';
import { redisStore } from './resilience.ts';
import type { AuthorizationPolicyManifest, RuleManifest } from '../../manifest/authorization-policy.ts';
import type { FaultExperimentManifest } from '../../manifest/fault-experiment.ts';
import type { OpaEngineManifest, OpaPolicyManifest } from '../../manifest/opa-policy.ts';
import type { RateLimitKeyManifest, RateLimitManifest, RateLimitPolicyManifest } from '../../manifest/rate-limit-policy.ts';
import type { JwtPlacesManifest, JwtRuleManifest, RequestAuthenticationManifest } from '../../manifest/request-authentication.ts';
import type { DeriveOptions } from '../options.ts';

/** `undefined` for actions that nobody enforces. */
export function deriveL7Authorization(manifest: AuthorizationPolicyManifest): L7AuthorizationPolicy | undefined {
  const { action = 'ALLOW', rules = [] } = manifest.spec ?? {};
  if (action !== 'ALLOW' && action !== 'DENY') return undefined;
  return {
    key: objectKey('AuthorizationPolicy', manifest),
    namespace: manifest.metadata.namespace,
    action,
    dryRun: isDryRun(manifest),
    rules: rules.map(ruleOf),
  };
}

function ruleOf({ from, to, when }: RuleManifest): L7Rule {
  return {
    ...(from === undefined ? {} : { from: from.map(({ source = {} }) => source) }),
    ...(to === undefined ? {} : { to: to.map(({ operation = {} }) => operation) }),
    ...(when === undefined ? {} : { when }),
  };
}

export function deriveJwt(manifest: RequestAuthenticationManifest): RequestAuthentication {
  const key = objectKey('RequestAuthentication', manifest);
  const { unread, spec } = manifest;
  if (unread !== undefined) return { key, unread: unread === 'all' ? unread : unread.map(unreadRule) };
  return { key, rules: (spec?.jwtRules ?? []).map(jwtRule) };
}

function unreadRule({ outputClaimToHeaders = [], ...rule }: JwtPlacesManifest): UnreadJwtRule {
  return { ...placesOf(rule), outputs: outputHeaders({ ...rule, outputClaimToHeaders }) };
}

function placesOf({ fromHeaders = [], fromParams = [] }: JwtPlacesManifest): Pick<JwtRule, 'fromHeaders' | 'fromParams'> {
  return { fromHeaders: fromHeaders.map(({ name, prefix = '' }) => ({ name: name.toLowerCase(), prefix })), fromParams };
}

function jwtRule(rule: JwtRuleManifest): JwtRule {
  const { issuer, jwks, jwksUri, outputPayloadToHeader } = rule;
  return {
    issuer,
    audiences: rule.audiences ?? [],
    ...(jwks === undefined ? {} : { jwks }),
    ...(jwksUri === undefined ? {} : { jwksUri }),
    ...placesOf(rule),
    forwardOriginalToken: rule.forwardOriginalToken ?? false,
    ...(outputPayloadToHeader === undefined ? {} : { outputPayloadToHeader: outputPayloadToHeader.toLowerCase() }),
    outputClaimToHeaders: (rule.outputClaimToHeaders ?? []).map(({ header, claim }) => ({ header: header.toLowerCase(), claim })),
  };
}

export function deriveOpa(manifest: OpaPolicyManifest): OpaPolicy {
  const { engine, path, timeout, body, cache, contextExtensions = {} } = manifest.spec;
  return {
    key: objectKey('OpaPolicy', manifest),
    engine: manifest.standIn === undefined ? engineOf(engine) : unread,
    path: path ?? 'envoy/authz/allow',
    timeoutMs: timeout === undefined ? 200 : durationMs(timeout),
    ...(body === undefined ? {} : { body: { maxBytes: body.maxBytes ?? 65_536, allowPartial: body.allowPartial ?? false } }),
    ...(cache === undefined ? {} : { cache: { ttlMs: durationMs(cache.ttl), inputs: cache.inputs } }),
    contextExtensions,
  };
}

const unread: OpaEngine = {
  kind: 'none',
  reason: 'it cannot be read, and no good version of it is known; its status says what is wrong',
};

/** One of the two is there: more or fewer were refused before. */
function engineOf({ wasm, server }: OpaEngineManifest): OpaEngine {
  if (wasm === undefined) return { kind: 'server', url: server?.url ?? '' };
  return { kind: 'wasm', bundle: wasm.bundle, watchdogMs: wasm.watchdog === undefined ? 50 : durationMs(wasm.watchdog) };
}

export function deriveRateLimits(manifest: RateLimitPolicyManifest): RateLimitPolicy {
  const { limits, redis, onStoreFailure = 'allow' } = manifest.spec;
  return {
    key: objectKey('RateLimitPolicy', manifest),
    limits: limits.map(limitOf),
    ...(redis === undefined ? {} : { store: redisStore(redis) }),
    onStoreFailure,
  };
}

function limitOf(limit: RateLimitManifest): RateLimit {
  return {
    name: limit.name,
    scope: limit.scope ?? 'local',
    matches: (limit.matches ?? []).map(deriveHttpMatch),
    key: (limit.key ?? []).map(keyPart),
    requests: limit.requests,
    windowMs: durationMs(limit.window),
    burst: limit.burst ?? limit.requests,
    shadow: limit.shadow ?? false,
  };
}

function keyPart({ type, name = '' }: RateLimitKeyManifest): RateLimitKeyPart {
  return type === 'header' ? { kind: 'header', name: name.toLowerCase() } : { kind: type };
}

export function deriveFault(manifest: FaultExperimentManifest, { trustDomain }: DeriveOptions): FaultExperiment {
  const { spec } = manifest;
  const startsAtMs = parseTime(spec.startsAt) ?? 0;
  return {
    key: objectKey('FaultExperiment', manifest),
    startsAtMs,
    endsAtMs: startsAtMs + durationMs(spec.ttl ?? '15m'),
    owner: spec.owner,
    approver: spec.approver,
    matches: (spec.matches ?? []).map(deriveHttpMatch),
    callers: (spec.callers ?? []).map((caller) => callerId(caller, trustDomain)),
    percent: spec.percent ?? 1,
    maxActive: spec.maxActive ?? 10,
    ...(spec.delay === undefined ? {} : { delayMs: durationMs(spec.delay) }),
    ...(spec.abort === undefined ? {} : { abort: spec.abort }),
    ...(spec.throttleKibPerSecond === undefined ? {} : { throttleKibPerSecond: spec.throttleKibPerSecond }),
    reset: spec.reset ?? false,
  };
}

function callerId(caller: string, trustDomain: string): string {
  if (caller.startsWith('spiffe://')) return caller;
  const [namespace = '', account = ''] = caller.split('/');
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${account}`;
}
