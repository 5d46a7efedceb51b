/** All statuses of one configuration. */
import { deriveFault } from '../derive/l7/policies.ts';
import { serviceIndex } from '../derive/l7/backend.ts';
import { objectKey } from '../derive/l7/object-key.ts';
import { isOfRevision } from '../derive/labels.ts';
import { idleness } from '../derive/network-gateways.ts';
import { keyOfService } from '../derive/service.ts';
import { readinessOf } from '../derive/waypoint-binding.ts';
import { objectName } from '../manifest/collections.ts';
import { isRemoteWaypoint, isWaypoint } from '../manifest/gateway.ts';
import { targetsOf } from '../manifest/target-ref.ts';
import { bindingOfEntry, serviceEntryStatus, workloadEntryStatus } from './entry-status.ts';
import { gatewayStatus, idleGatewayStatus, remoteGatewayStatus } from './gateway-status.ts';
import { domainStatus } from './domain-status.ts';
import { targetedStatus } from './policy-status.ts';
import { routeStatus } from './route-status.ts';
import { endpointChoiceRefused, waypointBound } from './service-status.ts';
import { condition } from './status-report.ts';
import type { MeshModel } from '../derive/mesh-model.ts';
import type { DeriveOptions } from '../derive/options.ts';
import type { AuthorizationPolicyManifest } from '../manifest/authorization-policy.ts';
import type { Collections } from '../manifest/collections.ts';
import type { FaultExperimentManifest } from '../manifest/fault-experiment.ts';
import type { GatewayManifest } from '../manifest/gateway.ts';
import type { IsWaypoint } from './entry-status.ts';
import type { Refusals } from './gateway-status.ts';
import type { Idle, PolicySurroundings, TargetedPolicy } from './policy-status.ts';
import type { ObjectStatus, StatusReport } from './status-report.ts';
import type { Problem } from '@clearmesh/shared/document/problem';

/** A configuration in force. */
export type Configured = { readonly collections: Collections; readonly model: MeshModel; readonly nowMs: number };

export type ReportFacts = {
  /** Absent before the first good configuration. */
  readonly configured?: Configured;
  /** By `namespace/name` of the Gateway. */
  readonly refusals: ReadonlyMap<string, Refusals>;
  /** Why nothing can be made for a Gateway, by `namespace/name`. @default none */
  readonly invalidParameters?: ReadonlyMap<string, string>;
  /** Of the last reading; none when it was good. */
  readonly problems: readonly Problem[];
};

export function reportStatus(facts: ReportFacts, options: DeriveOptions): StatusReport {
  const { configured, problems } = facts;
  const taken = problems.length === 0 ? 'current' : 'last-good';
  return {
    serving: configured === undefined ? 'none' : taken,
    objects: configured === undefined ? {} : Object.fromEntries(objectStatuses(configured, facts, options)),
    rejections: problems,
  };
}

type Statuses = readonly (readonly [string, ObjectStatus])[];

function objectStatuses(configured: Configured, facts: ReportFacts, options: DeriveOptions): Statuses {
  const { collections, model } = configured;
  const gateways = collections.gateways.filter(({ metadata }) => isOfRevision(metadata.labels, options.revision));
  const around: PolicySurroundings = {
    services: serviceIndex(collections.services),
    gateways: new Map(gateways.map((gateway) => [objectName(gateway.metadata), gateway])),
    entries: new Map(collections.serviceEntries.map((entry) => [objectName(entry.metadata), bindingOfEntry(entry, model)])),
    bindings: model.bindings,
    options,
  };
  return [
    ...gatewayStatuses(gateways.filter(isWaypoint), configured, facts, options),
    ...gateways
      .filter(isRemoteWaypoint)
      .map((gateway) => [objectKey('Gateway', gateway), remoteGatewayStatus(gateway, options)] as const),
    ...idleGatewayStatuses(gateways, options),
    ...serviceStatuses(collections, around),
    ...entryStatuses(configured, around),
    ...routeStatuses(collections, around),
    ...policyStatuses(configured, around),
  ];
}

function gatewayStatuses(
  gateways: readonly GatewayManifest[],
  { collections, model }: Configured,
  { refusals, invalidParameters }: ReportFacts,
  options: DeriveOptions,
): Statuses {
  const isReady = readinessOf(model.workloads, model.services);
  const services = new Map(collections.services.map((service) => [keyOfService(service, options), service]));
  return gateways.map((gateway) => {
    const name = objectName(gateway.metadata);
    const facts = {
      isReady,
      services,
      refusals: refusals.get(name),
      invalidParameters: invalidParameters?.get(name),
    };
    return [objectKey('Gateway', gateway), gatewayStatus(gateway, options, facts)] as const;
  });
}

/** Of our class only: of the other one Istio's control plane may tell beside us, and neither is to overwrite the other. */
function idleGatewayStatuses(gateways: readonly GatewayManifest[], options: DeriveOptions): Statuses {
  return gateways.flatMap((gateway) => {
    const reason = gateway.spec.gatewayClassName === 'clearmesh-east-west' ? idleness(gateway, options) : undefined;
    return reason === undefined ? [] : [[objectKey('Gateway', gateway), idleGatewayStatus(reason)] as const];
  });
}

function serviceStatuses({ services }: Collections, { bindings, gateways, options }: PolicySurroundings): Statuses {
  return services.flatMap((service) => {
    const binding = bindings.services.get(keyOfService(service, options));
    const conditions = [
      ...(binding === undefined ? [] : [waypointBound(binding, isNamedWaypoint(binding.gateway, gateways))]),
      ...endpointChoiceRefused(service),
    ];
    return conditions.length === 0 ? [] : [[objectKey('Service', service), { conditions }] as const];
  });
}

function entryStatuses({ collections, model }: Configured, { gateways, options }: PolicySurroundings): Statuses {
  const exists: IsWaypoint = (name) => isNamedWaypoint(name, gateways);
  return [
    ...collections.serviceEntries.map(
      (entry) => [objectKey('ServiceEntry', entry), serviceEntryStatus(entry, model, exists)] as const,
    ),
    ...collections.workloadEntries.flatMap((entry) => {
      const status = workloadEntryStatus(entry, model, exists, options);
      return status === undefined ? [] : [[objectKey('WorkloadEntry', entry), status] as const];
    }),
  ];
}

function isNamedWaypoint(name: string, gateways: PolicySurroundings['gateways']): boolean {
  const gateway = gateways.get(name);
  return gateway !== undefined && (isWaypoint(gateway) || isRemoteWaypoint(gateway));
}

function routeStatuses({ httpRoutes, grpcRoutes }: Collections, around: PolicySurroundings): Statuses {
  const routes = [
    ...httpRoutes.map((route) => [objectKey('HTTPRoute', route), route] as const),
    ...grpcRoutes.map((route) => [objectKey('GRPCRoute', route), route] as const),
  ];
  return routes.flatMap(([key, route]) => {
    const status = routeStatus(route, around);
    return status === undefined ? [] : [[key, status] as const];
  });
}

function policyStatuses({ collections, model, nowMs }: Configured, around: PolicySurroundings): Statuses {
  const { options } = around;
  const of = <T extends TargetedPolicy>(kind: string, policies: readonly T[], idle?: (policy: T) => Idle): Statuses =>
    policies.flatMap((policy) => {
      if (!isOfRevision(policy.metadata.labels, options.revision)) return [];
      const key = objectKey(kind, policy);
      return [[key, targetedStatus('Accepted', policy, model.reach.get(key) ?? [], around, idle?.(policy))] as const];
    });
  return [
    ...collections.authorizationPolicies.flatMap((policy) => {
      if (!isOfRevision(policy.metadata.labels, options.revision)) return [];
      const key = objectKey('AuthorizationPolicy', policy);
      if (targetsOf(policy.spec ?? {}).length === 0) return [[key, ztunnelStatus(key, policy, model)] as const];
      return [[key, targetedStatus('WaypointAccepted', policy, model.reach.get(key) ?? [], around)] as const];
    }),
    ...of('RequestAuthentication', collections.requestAuthentications),
    ...of('ResiliencePolicy', collections.resiliencePolicies, () => conflicted),
    ...of('RateLimitPolicy', collections.rateLimitPolicies),
    ...of('OpaPolicy', collections.opaPolicies),
    ...collections.bankingDomains.map(
      (domain) => [`BankingDomain ${domain.metadata.name}`, domainStatus(domain, around)] as const,
    ),
    ...of('FaultExperiment', collections.faultExperiments, (experiment) => idleExperiment(experiment, options, nowMs)),
  ];
}

/** Design decision 2: what layer 4 cannot see is said out loud, with its effect. */
function ztunnelStatus(key: string, policy: AuthorizationPolicyManifest, model: MeshModel): ObjectStatus {
  const notes = model.notes.filter(({ object }) => object === key).map(({ message }) => message);
  const { namespace, name } = policy.metadata;
  const sent = model.policies.some((each) => each.key === `${namespace}/${name}`);
  if (!sent)
    return { conditions: [condition('ZtunnelAccepted', 'False', 'UnsupportedValue', 'node proxies are not told of it')] };
  if (notes.length > 0) return { conditions: [condition('ZtunnelAccepted', 'True', 'UnsupportedValue', notes.join('; '))] };
  return { conditions: [condition('ZtunnelAccepted', 'True', 'Accepted', 'enforced by the node proxies')] };
}

const conflicted: Idle = {
  reason: 'Conflicted',
  message: 'in force nowhere: a more specific or an older policy, or none behind a waypoint, decides in every service',
};

function idleExperiment(experiment: FaultExperimentManifest, options: DeriveOptions, nowMs: number): Idle {
  const { endsAtMs } = deriveFault(experiment, options);
  if (endsAtMs <= nowMs) return { reason: 'Expired', message: `ended at ${new Date(endsAtMs).toISOString()}` };
  return { reason: 'EnvironmentNotAllowed', message: 'no service behind its targets is in a test environment' };
}
