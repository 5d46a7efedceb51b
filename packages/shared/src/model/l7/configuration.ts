/**
 * What one waypoint is told beside the workloads and services of the mesh: the services it stands before, and every
 * layer-7 object that concerns them. The control plane derives it whole, a waypoint applies it whole.
 *
 * L1  Policies stand once, in `policies`; services name them by key. A key that is named is present.
 * L2  Times are milliseconds, dates are milliseconds since the epoch, fractions are percent from 0 to 100.
 * L3  Objects of one list are in the order in which they count.
 */
import type { AppProtocol } from '../service.ts';
import type { ServiceKey } from '../names.ts';
import type { L7AuthorizationPolicy } from './authorization.ts';
import type { FaultExperiment } from './fault.ts';
import type { RequestAuthentication } from './jwt.ts';
import type { OpaPolicy } from './opa.ts';
import type { RateLimitPolicy } from './rate-limit.ts';
import type { ResiliencePolicy } from './resilience.ts';
import type { HttpRoute } from './route.ts';

/** `Kind namespace/name`, such as `OpaPolicy ledger/four-eyes`. */
export type ObjectKey = string;

/** Where faults may be injected, and how strictly a domain is run. */
export type Environment = 'production' | 'test';

export type WaypointConfiguration = {
  readonly namespace: string;
  /** Name of the Gateway. */
  readonly name: string;
  /** Of the namespace's label `clearmesh.io/environment`; anything but `test` is production. */
  readonly environment: Environment;
  readonly services: readonly BoundService[];
  /** Pods bound by their own address (`waypoint-for: workload` or `all`), by uid. */
  readonly workloads: readonly string[];
  readonly policies: L7Policies;
};

export type L7Policies = {
  readonly authorization: Readonly<Record<ObjectKey, L7AuthorizationPolicy>>;
  readonly jwt: Readonly<Record<ObjectKey, RequestAuthentication>>;
  readonly opa: Readonly<Record<ObjectKey, OpaPolicy>>;
  readonly resilience: Readonly<Record<ObjectKey, ResiliencePolicy>>;
  readonly rateLimits: Readonly<Record<ObjectKey, RateLimitPolicy>>;
  readonly faults: Readonly<Record<ObjectKey, FaultExperiment>>;
};

/** A service whose traffic must pass this waypoint. */
export type BoundService = {
  readonly key: ServiceKey;
  readonly ports: readonly { readonly port: number; readonly protocol: AppProtocol }[];
  readonly routes: readonly HttpRoute[];
  readonly authorization: readonly ObjectKey[];
  readonly jwt: readonly ObjectKey[];
  readonly opa: readonly ObjectKey[];
  /** The most specific one only: Service before Gateway before Namespace. */
  readonly resilience?: ObjectKey;
  readonly rateLimits: readonly ObjectKey[];
  readonly faults: readonly ObjectKey[];
};
