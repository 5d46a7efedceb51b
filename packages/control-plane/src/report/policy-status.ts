/** Status of policies that are attached by targetRefs (control-plane-contract section 1.4). */
import { keyOfService } from '../derive/service.ts';
import { isWaypoint } from '../manifest/gateway.ts';
import { targetsOf } from '../manifest/target-ref.ts';
import { condition } from './status-report.ts';
import type { ServiceIndex } from '../derive/l7/backend.ts';
import type { Bindings } from '../derive/mesh-model.ts';
import type { DeriveOptions } from '../derive/options.ts';
import type { Binding } from '../derive/waypoint-binding.ts';
import type { GatewayManifest } from '../manifest/gateway.ts';
import type { NamespacedMetadata } from '../manifest/metadata.ts';
import type { TargetRefManifest } from '../manifest/target-ref.ts';
import type { Condition, ObjectStatus } from './status-report.ts';

export type PolicySurroundings = {
  readonly services: ServiceIndex;
  /** By `namespace/name`. */
  readonly gateways: ReadonlyMap<string, GatewayManifest>;
  /** What became of each ServiceEntry, by `namespace/name`. */
  readonly entries: ReadonlyMap<string, Binding | undefined>;
  readonly bindings: Bindings;
  readonly options: DeriveOptions;
};

export type TargetedPolicy = {
  readonly metadata: NamespacedMetadata;
  readonly spec?: { readonly targetRef?: TargetRefManifest; readonly targetRefs?: readonly TargetRefManifest[] };
};

/** Why a policy that found its targets is in force in none of them. */
export type Idle = { readonly reason: string; readonly message: string };

type Outcome = { readonly reason: 'Bound' | 'Invalid' | 'AncestorNotBound' | 'TargetNotFound'; readonly text: string };

/**
 * @param type of the condition: `WaypointAccepted` for AuthorizationPolicy, `Accepted` for our own kinds
 * @param services in which it is in force
 * @param idle what to say when it is bound, and in force nowhere
 */
export function targetedStatus(
  type: string,
  policy: TargetedPolicy,
  services: readonly string[],
  around: PolicySurroundings,
  idle?: Idle,
): ObjectStatus {
  const outcomes = targetsOf(policy.spec ?? {}).map((target) => outcomeOf(target, policy.metadata.namespace, around));
  return { conditions: [conditionOf(type, outcomes, services, idle)], services };
}

function conditionOf(type: string, outcomes: readonly Outcome[], services: readonly string[], idle: Idle | undefined): Condition {
  const failed = outcomes.filter(({ reason }) => reason !== 'Bound');
  const told = failed.map(({ text }) => text).join('; ');
  const [first] = failed;
  if (first !== undefined && failed.length === outcomes.length) return condition(type, 'False', first.reason, told);
  if (idle !== undefined && services.length === 0) return condition(type, 'False', idle.reason, idle.message);
  const where = services.length === 0 ? 'no service is behind the waypoint yet' : `in force in ${services.join(', ')}`;
  if (first !== undefined) return condition(type, 'True', 'PartiallyInvalid', `${where}; ${told}`);
  return condition(type, 'True', 'Accepted', where);
}

function outcomeOf(target: TargetRefManifest, namespace: string, around: PolicySurroundings): Outcome {
  const key = `${namespace}/${target.name}`;
  switch (target.kind) {
    case 'Service': {
      const service = around.services.get(key);
      if (service === undefined) return { reason: 'TargetNotFound', text: `there is no Service ${key}` };
      return serviceOutcome('Service', key, around.bindings.services.get(keyOfService(service, around.options)));
    }
    case 'ServiceEntry':
      if (!around.entries.has(key)) return { reason: 'TargetNotFound', text: `there is no ServiceEntry ${key}` };
      return serviceOutcome('ServiceEntry', key, around.entries.get(key));
    case 'Gateway': {
      const gateway = around.gateways.get(key);
      if (gateway === undefined) return { reason: 'TargetNotFound', text: `there is no Gateway ${key}` };
      return isWaypoint(gateway) ? bound : { reason: 'AncestorNotBound', text: `Gateway ${key} is no waypoint` };
    }
    case 'Namespace': {
      const some = [...around.bindings.services].some(([service, { served }]) => served && service.startsWith(`${namespace}/`));
      return some ? bound : { reason: 'AncestorNotBound', text: `no service of ${namespace} is behind a waypoint` };
    }
    default:
      return classOutcome(target.name, namespace, around.options);
  }
}

function serviceOutcome(kind: string, key: string, binding: Binding | undefined): Outcome {
  if (binding?.served === true) return bound;
  return { reason: 'AncestorNotBound', text: `${kind} ${key} is behind no waypoint (label istio.io/use-waypoint)` };
}

function classOutcome(name: string, namespace: string, { rootNamespace }: DeriveOptions): Outcome {
  if (namespace !== rootNamespace)
    return { reason: 'Invalid', text: `GatewayClass may be named in the root namespace (${rootNamespace}) only` };
  if (name === 'clearmesh-waypoint' || name === 'istio-waypoint') return bound;
  return { reason: 'TargetNotFound', text: `GatewayClass ${name} has no waypoints of this mesh` };
}

const bound: Outcome = { reason: 'Bound', text: '' };
