/** What a schema cannot say of a ResiliencePolicy. */
import { durationMs } from '../manifest/duration.ts';
import { checkRequiredTargets } from './check-target-refs.ts';
import type { ResiliencePolicyManifest } from '../manifest/resilience-policy.ts';
import type { FieldPath } from '@clearmesh/shared/document/field-path';
import type { Finding } from '@clearmesh/shared/document/finding';

type Spec = ResiliencePolicyManifest['spec'];
type Replicated = { readonly namespace: string; readonly rootNamespace: string };

export function checkResiliencePolicy(
  policy: ResiliencePolicyManifest,
  rules: { readonly rootNamespace: string },
): readonly Finding[] {
  const { spec, metadata } = policy;
  const scope: Replicated = { namespace: metadata.namespace, rootNamespace: rules.rootNamespace };
  return [
    ...checkRequiredTargets(spec.targetRefs, { ...scope, kinds: ['Service', 'ServiceEntry', 'Gateway', 'Namespace'] }),
    ...checkResilience(spec),
  ];
}

/** Of what it says; whom it is for, is another question. */
export function checkResilience(spec: Spec): readonly Finding[] {
  return [...checkOrder(spec), ...checkPositive(spec), ...checkIdempotency(spec), ...checkRetry(spec)];
}

/** Pairs of durations of which the first may not be the longer one. */
function checkOrder({ timeouts, retry, circuitBreaker, outlierDetection, idempotency }: Spec): readonly Finding[] {
  return [
    ...notLonger(timeouts?.backendRequest, timeouts?.request, ['spec', 'timeouts', 'backendRequest'], 'request'),
    ...notLonger(timeouts?.minService, timeouts?.request, ['spec', 'timeouts', 'minService'], 'request'),
    ...notLonger(retry?.backoff?.base, retry?.backoff?.max, ['spec', 'retry', 'backoff', 'base'], 'max'),
    ...notLonger(circuitBreaker?.open, circuitBreaker?.maxOpen, ['spec', 'circuitBreaker', 'open'], 'maxOpen'),
    ...notLonger(
      outlierDetection?.baseEjection,
      outlierDetection?.maxEjection,
      ['spec', 'outlierDetection', 'baseEjection'],
      'maxEjection',
    ),
    ...notLonger(idempotency?.lease, idempotency?.ttl, ['spec', 'idempotency', 'lease'], 'ttl'),
  ];
}

function notLonger(shorter: string | undefined, longer: string | undefined, path: FieldPath, than: string): readonly Finding[] {
  if (shorter === undefined || longer === undefined || durationMs(shorter) <= durationMs(longer)) return [];
  return [{ path, value: shorter, message: `is longer than ${than}`, remedy: `Write at most ${longer}.` }];
}

/** Windows and intervals of no length would divide by nothing. */
function checkPositive({ retry, circuitBreaker, outlierDetection, idempotency, loadBalancing }: Spec): readonly Finding[] {
  const durations: readonly (readonly [string | undefined, FieldPath])[] = [
    [retry?.budget?.interval, ['spec', 'retry', 'budget', 'interval']],
    [circuitBreaker?.window, ['spec', 'circuitBreaker', 'window']],
    [circuitBreaker?.open, ['spec', 'circuitBreaker', 'open']],
    [circuitBreaker?.maxOpen, ['spec', 'circuitBreaker', 'maxOpen']],
    [outlierDetection?.interval, ['spec', 'outlierDetection', 'interval']],
    [outlierDetection?.baseEjection, ['spec', 'outlierDetection', 'baseEjection']],
    [outlierDetection?.maxEjection, ['spec', 'outlierDetection', 'maxEjection']],
    [idempotency?.ttl, ['spec', 'idempotency', 'ttl']],
    [idempotency?.lease, ['spec', 'idempotency', 'lease']],
    [idempotency?.redis?.timeout, ['spec', 'idempotency', 'redis', 'timeout']],
    [loadBalancing?.initialRtt, ['spec', 'loadBalancing', 'initialRtt']],
    [loadBalancing?.decay, ['spec', 'loadBalancing', 'decay']],
  ];
  return durations.flatMap(([value, path]) => {
    if (value === undefined || durationMs(value) > 0) return [];
    return [{ path, value, message: 'must be longer than nothing', remedy: 'Write a duration, such as 10s; or leave it out.' }];
  });
}

function checkIdempotency({ idempotency }: Spec): readonly Finding[] {
  if ((idempotency?.waitReplicas ?? 0) === 0 || idempotency?.redis !== undefined) return [];
  const path = ['spec', 'idempotency', 'waitReplicas'];
  const remedy = 'Name spec.idempotency.redis, or leave it out.';
  return [{ path, value: idempotency?.waitReplicas, message: 'waits for replicas of a store that is none', remedy }];
}

/** Status codes without the condition that reads them do nothing, and the condition without codes neither. */
function checkRetry({ retry }: Spec): readonly Finding[] {
  const asks = retry?.conditions?.includes('retriable-status-codes') ?? false;
  const names = (retry?.statusCodes ?? []).length > 0;
  if (asks === names) return [];
  return asks
    ? [
        {
          path: ['spec', 'retry', 'statusCodes'],
          message: 'is missing',
          remedy: 'Name the codes that retriable-status-codes means.',
        },
      ]
    : [
        {
          path: ['spec', 'retry', 'statusCodes'],
          value: retry?.statusCodes,
          message: 'has no effect without the condition retriable-status-codes',
          remedy: 'Add it to spec.retry.conditions, or remove the codes.',
        },
      ];
}
