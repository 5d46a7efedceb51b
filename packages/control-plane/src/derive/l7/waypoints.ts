/**
 * What each waypoint is told of layer 7 (control-plane-contract section 4).
 *
 * In: {@link Collections} and the bindings. Out: one {@link WaypointConfiguration} a Gateway, and which policy reached whom.
 * L1  A waypoint is told of the services that it takes, ready or not: what is named must be known before traffic comes.
 * L2  A policy that reaches no service of a waypoint is not sent to it.
 * L3  Faults never reach a service outside a test environment, whatever the experiment is attached to (C6).
 */
import type { BoundService, L7Policies, ObjectKey, WaypointConfiguration } from '@clearmesh/shared/model/l7/configuration';
import type { ServiceKey } from '@clearmesh/shared/model/names';
import { environmentOf } from '../../manifest/environment.ts';
import { serviceIndex } from './backend.ts';
import { objectKey } from './object-key.ts';
import { deriveFault, deriveJwt, deriveL7Authorization, deriveOpa, deriveRateLimits } from './policies.ts';
import { deriveResilience } from './resilience.ts';
import { Routes } from './route.ts';
import { TargetedPolicies } from './targets.ts';
import type { AuthorizationPolicyManifest } from '../../manifest/authorization-policy.ts';
import type { Collections } from '../../manifest/collections.ts';
import type { FaultExperimentManifest } from '../../manifest/fault-experiment.ts';
import type { GatewayManifest } from '../../manifest/gateway.ts';
import type { NamespacedMetadata } from '../../manifest/metadata.ts';
import type { OpaPolicyManifest } from '../../manifest/opa-policy.ts';
import type { RateLimitPolicyManifest } from '../../manifest/rate-limit-policy.ts';
import type { RequestAuthenticationManifest } from '../../manifest/request-authentication.ts';
import type { ResiliencePolicyManifest } from '../../manifest/resilience-policy.ts';
import type { Destination } from './destination.ts';
import type { DeriveOptions } from '../options.ts';

/** What one Gateway takes. */
export type Served = {
  readonly gateway: GatewayManifest;
  readonly services: readonly Destination[];
  /** Uids of pods bound by their own address. */
  readonly workloads: readonly string[];
};

/** Services in which a policy is in force, by the policy's key. */
export type Reach = ReadonlyMap<ObjectKey, readonly ServiceKey[]>;

export type L7Derivation = { readonly configurations: readonly WaypointConfiguration[]; readonly reach: Reach };

export function deriveWaypoints(
  collections: Collections,
  served: readonly Served[],
  options: DeriveOptions,
  nowMs: number,
): L7Derivation {
  const sources: Sources = {
    options,
    nowMs,
    namespaces: collections.namespaces,
    routes: new Routes(collections, serviceIndex(collections.services), options),
    authorization: new TargetedPolicies(collections.authorizationPolicies, options),
    jwt: new TargetedPolicies(collections.requestAuthentications, options),
    // No OpaPolicy names a class.
    opa: new TargetedPolicies(collections.opaPolicies, options, 'namespace'),
    resilience: new TargetedPolicies(collections.resiliencePolicies, options),
    rateLimits: new TargetedPolicies(collections.rateLimitPolicies, options),
    faults: new TargetedPolicies(collections.faultExperiments, options),
  };
  const reach = new Map<ObjectKey, ServiceKey[]>();
  return { configurations: served.map((each) => configurationOf(each, sources, reach)), reach };
}

/** The next moment at which an experiment ends, milliseconds since the epoch. */
export function nextExperimentEnd(
  experiments: readonly FaultExperimentManifest[],
  options: DeriveOptions,
  nowMs: number,
): number | undefined {
  const ends = experiments.map((each) => deriveFault(each, options).endsAtMs).filter((end) => end > nowMs);
  return ends.length === 0 ? undefined : Math.min(...ends);
}

type Sources = Pick<Collections, 'namespaces'> & {
  readonly options: DeriveOptions;
  readonly nowMs: number;
  readonly routes: Routes;
  readonly authorization: TargetedPolicies<AuthorizationPolicyManifest>;
  readonly jwt: TargetedPolicies<RequestAuthenticationManifest>;
  readonly opa: TargetedPolicies<OpaPolicyManifest>;
  readonly resilience: TargetedPolicies<ResiliencePolicyManifest>;
  readonly rateLimits: TargetedPolicies<RateLimitPolicyManifest>;
  readonly faults: TargetedPolicies<FaultExperimentManifest>;
};

/** Policies of one waypoint while they are gathered. */
type Gathered = { readonly [List in keyof L7Policies]: Record<ObjectKey, L7Policies[List][ObjectKey]> };

function configurationOf(
  { gateway, services, workloads }: Served,
  sources: Sources,
  reach: Map<ObjectKey, ServiceKey[]>,
): WaypointConfiguration {
  const { namespace, name } = gateway.metadata;
  const policies: Gathered = { authorization: {}, jwt: {}, opa: {}, resilience: {}, rateLimits: {}, faults: {} };
  const bound = services.map((service) => {
    const { keys, ...rest } = boundService(service, gateway, sources, policies);
    for (const key of keys) reach.set(key, [...(reach.get(key) ?? []), rest.key]);
    return rest;
  });
  const environment = environmentOf(sources.namespaces.get(namespace));
  return { namespace, name, environment, services: bound, workloads, policies };
}

function boundService(
  service: Destination,
  gateway: GatewayManifest,
  sources: Sources,
  policies: Gathered,
): BoundService & { readonly keys: readonly ObjectKey[] } {
  const { options, routes } = sources;
  const authorization = gather(
    policies.authorization,
    'AuthorizationPolicy',
    sources.authorization.of(service, gateway),
    deriveL7Authorization,
  );
  const jwt = gather(policies.jwt, 'RequestAuthentication', sources.jwt.of(service, gateway), deriveJwt);
  const opa = gather(policies.opa, 'OpaPolicy', sources.opa.of(service, gateway), deriveOpa);
  const first = sources.resilience.of(service, gateway).slice(0, 1);
  const [resilience] = gather(policies.resilience, 'ResiliencePolicy', first, deriveResilience);
  const rateLimits = gather(policies.rateLimits, 'RateLimitPolicy', sources.rateLimits.of(service, gateway), deriveRateLimits);
  const faults = gather(policies.faults, 'FaultExperiment', experimentsFor(service, gateway, sources), (each) =>
    deriveFault(each, options),
  );
  return {
    key: service.key,
    ports: service.ports,
    routes: routes.of(service, gateway.metadata.namespace),
    authorization,
    jwt,
    opa,
    ...(resilience === undefined ? {} : { resilience }),
    rateLimits,
    faults,
    keys: [...authorization, ...jwt, ...opa, ...(resilience === undefined ? [] : [resilience]), ...rateLimits, ...faults],
  };
}

/** Adds to `list` what is not there yet; the keys, in the order given. */
function gather<M extends { readonly metadata: NamespacedMetadata }, P>(
  list: Record<ObjectKey, P>,
  kind: string,
  manifests: readonly M[],
  derive: (manifest: M) => P | undefined,
): readonly ObjectKey[] {
  return manifests.flatMap((manifest) => {
    const key = objectKey(kind, manifest);
    const policy = list[key] ?? derive(manifest);
    if (policy === undefined) return [];
    list[key] = policy;
    return [key];
  });
}

/** L3; one that is over is left out, so that no clock but ours need be right. */
function experimentsFor(
  service: Destination,
  gateway: GatewayManifest,
  { faults, namespaces, options, nowMs }: Sources,
): readonly FaultExperimentManifest[] {
  if (environmentOf(namespaces.get(service.metadata.namespace)) !== 'test') return [];
  return faults.of(service, gateway).filter((each) => deriveFault(each, options).endsAtMs > nowMs);
}
