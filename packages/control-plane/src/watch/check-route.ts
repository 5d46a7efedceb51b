/** What a schema cannot say of HTTPRoute and GRPCRoute: rules that a waypoint would not carry out as written. */
import { deriveGrpcMatch } from '../derive/l7/http-match.ts';
import { durationMs } from '../manifest/duration.ts';
import { isServiceParent } from '../manifest/route.ts';
import { checkHttpMatches, checkNamed, checkPattern } from './check-http-match.ts';
import type { GrpcMatchManifest, GrpcMethodMatchManifest, GrpcRouteManifest } from '../manifest/grpc-route.ts';
import type { HttpRouteManifest, HttpRouteRuleManifest } from '../manifest/http-route.ts';
import type { FilterManifest, PathModifierManifest, RouteManifest } from '../manifest/route.ts';
import type { FieldPath } from '@clearmesh/shared/document/field-path';
import type { Finding } from '@clearmesh/shared/document/finding';

/** The field that each type of filter needs. */
const filterFields = {
  RequestHeaderModifier: 'requestHeaderModifier',
  ResponseHeaderModifier: 'responseHeaderModifier',
  RequestMirror: 'requestMirror',
  RequestRedirect: 'requestRedirect',
  URLRewrite: 'urlRewrite',
} as const satisfies Readonly<Record<string, keyof FilterManifest>>;

type FilterType = keyof typeof filterFields;

const everywhere: readonly FilterType[] = ['RequestHeaderModifier', 'ResponseHeaderModifier', 'RequestMirror'];
const ofHttpRules: readonly FilterType[] = [...everywhere, 'RequestRedirect', 'URLRewrite'];
/** What is changed for one backend only; a mirror there would be a second backend in disguise. */
const ofBackends: readonly FilterType[] = ['RequestHeaderModifier', 'ResponseHeaderModifier', 'URLRewrite'];

/** Routes for other Gateways alone are not ours to judge. */
export function checkHttpRoute(route: HttpRouteManifest): readonly Finding[] {
  if (!concernsServices(route)) return [];
  const rules = route.spec.rules ?? [];
  return rules.flatMap((rule, index) => {
    const path = ['spec', 'rules', index];
    return [
      ...checkHttpMatches(rule.matches, [...path, 'matches']),
      ...checkRule(rule, path, ofHttpRules),
      ...checkTimeouts(rule, path),
      ...checkRewrites(rule, path),
    ];
  });
}

export function checkGrpcRoute(route: GrpcRouteManifest): readonly Finding[] {
  if (!concernsServices(route)) return [];
  const rules = route.spec.rules ?? [];
  return rules.flatMap((rule, index) => {
    const path = ['spec', 'rules', index];
    const matches = (rule.matches ?? []).flatMap((match, at) => checkGrpcMatch(match, [...path, 'matches', at]));
    return [...matches, ...checkRule(rule, path, everywhere)];
  });
}

function concernsServices(route: RouteManifest): boolean {
  return route.spec.parentRefs?.some(isServiceParent) ?? false;
}

type RuleParts = Pick<HttpRouteRuleManifest, 'filters' | 'backendRefs' | 'sessionPersistence'>;

function checkRule(rule: RuleParts, path: FieldPath, allowed: readonly FilterType[]): readonly Finding[] {
  const { filters, backendRefs = [], sessionPersistence } = rule;
  const remedy = 'Remove it.';
  return [
    ...(sessionPersistence === undefined ? [] : [{ path: [...path, 'sessionPersistence'], message: 'is not supported', remedy }]),
    ...checkFilters(filters, [...path, 'filters'], allowed),
    ...backendRefs.flatMap((backend, index) =>
      checkFilters(
        backend.filters,
        [...path, 'backendRefs', index, 'filters'],
        ofBackends.filter((type) => allowed.includes(type)),
      ),
    ),
  ];
}

function checkFilters(
  filters: readonly FilterManifest[] = [],
  path: FieldPath,
  allowed: readonly FilterType[],
): readonly Finding[] {
  return filters.flatMap((filter, index): readonly Finding[] => {
    const at = [...path, index];
    const type = allowed.find((known) => known === filter.type);
    if (type === undefined) {
      const remedy = `Write one of ${allowed.join(', ')}, or remove the filter.`;
      return [{ path: [...at, 'type'], value: filter.type, message: 'is no filter that is supported here', remedy }];
    }
    const field = filterFields[type];
    if (filter[field] === undefined)
      return [{ path: [...at, field], message: 'is missing', remedy: `Say what ${type} is to do.` }];
    return checkModifiers(filter, at);
  });
}

function checkModifiers(filter: FilterManifest, path: FieldPath): readonly Finding[] {
  const { requestMirror: mirror, requestRedirect, urlRewrite } = filter;
  const found: Finding[] = [
    ...checkPathModifier(requestRedirect?.path, [...path, 'requestRedirect', 'path']),
    ...checkPathModifier(urlRewrite?.path, [...path, 'urlRewrite', 'path']),
  ];
  if (mirror?.percent !== undefined && mirror.fraction !== undefined) {
    const remedy = 'Keep one of the two.';
    found.push({ path: [...path, 'requestMirror', 'fraction'], message: 'contradicts percent beside it', remedy });
  }
  const { numerator = 0, denominator = 100 } = mirror?.fraction ?? {};
  if (numerator > denominator) {
    const remedy = `Write at most ${denominator}.`;
    const at = [...path, 'requestMirror', 'fraction', 'numerator'];
    found.push({ path: at, value: numerator, message: 'is more than the denominator', remedy });
  }
  return found;
}

function checkPathModifier(modifier: PathModifierManifest | undefined, path: FieldPath): readonly Finding[] {
  if (modifier === undefined) return [];
  const field = modifier.type === 'ReplaceFullPath' ? 'replaceFullPath' : 'replacePrefixMatch';
  if (modifier[field] !== undefined) return [];
  return [
    { path: [...path, field], message: 'is missing', remedy: `Say what the path becomes, since type is ${modifier.type}.` },
  ];
}

/** A prefix can be replaced only where a prefix was matched (Gateway API). */
function checkRewrites(rule: HttpRouteRuleManifest, path: FieldPath): readonly Finding[] {
  const prefixes = (rule.matches ?? []).every(({ path: match }) => (match?.type ?? 'PathPrefix') === 'PathPrefix');
  if (prefixes) return [];
  return (rule.filters ?? []).flatMap(({ requestRedirect, urlRewrite }, index) => {
    const field = requestRedirect?.path?.type === 'ReplacePrefixMatch' ? 'requestRedirect' : 'urlRewrite';
    const modifier = field === 'requestRedirect' ? requestRedirect?.path : urlRewrite?.path;
    if (modifier?.type !== 'ReplacePrefixMatch') return [];
    const at = [...path, 'filters', index, field, 'path', 'type'];
    const remedy = 'Match by PathPrefix, or write ReplaceFullPath.';
    return [{ path: at, value: modifier.type, message: 'needs a match by PathPrefix', remedy }];
  });
}

function checkTimeouts({ timeouts }: HttpRouteRuleManifest, path: FieldPath): readonly Finding[] {
  const { request, backendRequest } = timeouts ?? {};
  if (request === undefined || backendRequest === undefined) return [];
  // 0s means none (Gateway API).
  if (durationMs(request) === 0 || durationMs(backendRequest) <= durationMs(request)) return [];
  const at = [...path, 'timeouts', 'backendRequest'];
  const remedy = `Write at most ${request}.`;
  return [{ path: at, value: backendRequest, message: 'is longer than the whole request may take', remedy }];
}

function checkGrpcMatch(match: GrpcMatchManifest, path: FieldPath): readonly Finding[] {
  const { method, headers } = match;
  const found = [...checkNamed(headers, [...path, 'headers'])];
  if (method === undefined) return found;
  const at = [...path, 'method'];
  if (method.service === undefined && method.method === undefined) {
    return [...found, { path: at, message: 'is empty', remedy: 'Name a service, a method, or both.' }];
  }
  const parts = (['service', 'method'] as const).flatMap((field) => checkGrpcPart(method, field, [...at, field]));
  if (parts.length > 0) return [...found, ...parts];
  // Each part may be right, and the two together too long.
  const whole = deriveGrpcMatch(match).path;
  return whole?.type === 'RegularExpression' ? [...found, ...checkPattern(whole.value, at)] : found;
}

function checkGrpcPart(method: GrpcMethodMatchManifest, field: 'service' | 'method', path: FieldPath): readonly Finding[] {
  const value = method[field];
  if (value === undefined) return [];
  if (method.type === 'RegularExpression') return checkPattern(value, path);
  if (/^[A-Za-z_][\w.]*$/.test(value)) return [];
  const remedy = 'Write it as in the .proto file, without slashes; or set type: RegularExpression.';
  return [{ path, value, message: `is no name of a gRPC ${field}`, remedy }];
}
