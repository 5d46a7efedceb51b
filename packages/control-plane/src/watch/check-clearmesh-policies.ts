/** What a schema cannot say of RateLimitPolicy, OpaPolicy and FaultExperiment, each taken alone. */
import { durationMs } from '../manifest/duration.ts';
import { maxExperimentMs } from '../manifest/fault-experiment.ts';
import { checkHttpMatches } from './check-http-match.ts';
import { checkRequiredTargets } from './check-target-refs.ts';
import type { FaultExperimentManifest } from '../manifest/fault-experiment.ts';
import type { OpaPolicyManifest } from '../manifest/opa-policy.ts';
import type { RateLimitManifest, RateLimitPolicyManifest } from '../manifest/rate-limit-policy.ts';
import type { TargetRules } from './check-target-refs.ts';
import type { FieldPath } from '@clearmesh/shared/document/field-path';
import type { Finding } from '@clearmesh/shared/document/finding';

type Root = { readonly rootNamespace: string };

/** Milliseconds a decision may be kept (l7-and-resilience B11). */
const maxCacheMs = 30_000;

export function checkRateLimitPolicy(policy: RateLimitPolicyManifest, root: Root): readonly Finding[] {
  const { targetRefs, limits, redis } = policy.spec;
  const names = new Set<string>();
  const found = limits.flatMap((limit, index): readonly Finding[] => {
    const path = ['spec', 'limits', index];
    const twice = names.has(limit.name);
    names.add(limit.name);
    const again = { path: [...path, 'name'], value: limit.name, message: 'is named twice', remedy: 'Name each limit once.' };
    return [...(twice ? [again] : []), ...checkLimit(limit, path, redis !== undefined)];
  });
  const none = { path: ['spec', 'limits'], message: 'is empty', remedy: 'Add a limit, or remove the policy.' };
  return [
    ...checkRequiredTargets(targetRefs, targeting(policy, root)),
    ...(limits.length === 0 ? [none] : []),
    ...found,
    ...positive(redis?.timeout, ['spec', 'redis', 'timeout']),
  ];
}

function checkLimit(limit: RateLimitManifest, path: FieldPath, hasStore: boolean): readonly Finding[] {
  const found: Finding[] = [
    ...checkHttpMatches(limit.matches, [...path, 'matches']),
    ...positive(limit.window, [...path, 'window']),
  ];
  if (limit.scope === 'global' && !hasStore) {
    const remedy = 'Add spec.redis, or write scope: local.';
    found.push({ path: [...path, 'scope'], value: 'global', message: 'needs a store to count in', remedy });
  }
  for (const [index, part] of (limit.key ?? []).entries()) {
    const at = [...path, 'key', index, 'name'];
    if (part.type === 'header' && part.name === undefined)
      found.push({ path: at, message: 'is missing', remedy: 'Name the header that makes the key.' });
    if (part.type !== 'header' && part.name !== undefined)
      found.push({ path: at, value: part.name, message: `has no effect beside type ${part.type}`, remedy: 'Remove it.' });
  }
  return found;
}

export function checkOpaPolicy(policy: OpaPolicyManifest, root: Root): readonly Finding[] {
  const { targetRefs, engine, timeout, cache } = policy.spec;
  const found: Finding[] = [...checkRequiredTargets(targetRefs, targeting(policy, root))];
  if ((engine.wasm === undefined) === (engine.server === undefined)) {
    const message = engine.wasm === undefined ? 'names no engine' : 'names two engines';
    found.push({ path: ['spec', 'engine'], message, remedy: 'Write one of wasm and server.' });
  }
  found.push(
    ...positive(timeout, ['spec', 'timeout']),
    ...positive(engine.wasm?.watchdog, ['spec', 'engine', 'wasm', 'watchdog']),
  );
  if (cache !== undefined && durationMs(cache.ttl) > maxCacheMs) {
    const remedy = 'Write at most 30s: a decision that is kept longer outlives what it was made from.';
    found.push({ path: ['spec', 'cache', 'ttl'], value: cache.ttl, message: 'is too long', remedy });
  }
  if (cache !== undefined && cache.inputs.length === 0) {
    const remedy = 'Name the paths that the policy reads, such as attributes.request.http.method.';
    found.push({
      path: ['spec', 'cache', 'inputs'],
      message: 'is empty, so that one decision would serve every request',
      remedy,
    });
  }
  return found;
}

export function checkFaultExperiment(policy: FaultExperimentManifest, root: Root): readonly Finding[] {
  const { targetRefs, ttl = '15m', owner, approver, matches, percent = 1 } = policy.spec;
  const found: Finding[] = [
    ...checkRequiredTargets(targetRefs, targeting(policy, root)),
    ...checkHttpMatches(matches, ['spec', 'matches']),
    ...positive(ttl, ['spec', 'ttl']),
    ...checkEffect(policy),
  ];
  if (durationMs(ttl) > maxExperimentMs) {
    found.push({ path: ['spec', 'ttl'], value: ttl, message: 'is longer than an hour', remedy: 'Write at most 60m.' });
  }
  if (owner.trim().toLowerCase() === approver.trim().toLowerCase()) {
    const remedy = 'Have a second person approve it, and name that person.';
    found.push({ path: ['spec', 'approver'], value: approver, message: 'must not be the owner', remedy });
  }
  if (percent === 0) {
    found.push({
      path: ['spec', 'percent'],
      value: 0,
      message: 'lets nothing happen',
      remedy: 'Write more, or remove the experiment.',
    });
  }
  return found;
}

function checkEffect({ spec }: FaultExperimentManifest): readonly Finding[] {
  const { delay, abort, throttleKibPerSecond, reset = false } = spec;
  if (delay === undefined && abort === undefined && throttleKibPerSecond === undefined && !reset) {
    const remedy = 'Add one of delay, abort, throttleKibPerSecond and reset.';
    return [{ path: ['spec'], message: 'injects no fault', remedy }];
  }
  if (abort === undefined || !reset) return positive(delay, ['spec', 'delay']);
  return [{ path: ['spec', 'reset'], value: true, message: 'contradicts abort beside it', remedy: 'Keep one of the two.' }];
}

function targeting(policy: { readonly metadata: { readonly namespace: string } }, { rootNamespace }: Root): TargetRules {
  return clearmeshTargets(policy.metadata.namespace, rootNamespace);
}

/** What our own policies may be attached to. */
export function clearmeshTargets(namespace: string, rootNamespace: string): TargetRules {
  return { namespace, kinds: ['Service', 'ServiceEntry', 'Gateway', 'Namespace'], rootNamespace };
}

function positive(value: string | undefined, path: FieldPath): readonly Finding[] {
  if (value === undefined || durationMs(value) > 0) return [];
  return [{ path, value, message: 'must be longer than nothing', remedy: 'Write a duration, such as 200ms.' }];
}
