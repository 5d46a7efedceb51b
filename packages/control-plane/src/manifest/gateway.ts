import { Type } from 'typebox';
import { defineKind } from './kind.ts';
import { namespacedMetadata } from './metadata.ts';
import { strict } from './policy-schema.ts';
import type { Kind } from './kind.ts';
import type { Labels, NamespacedMetadata } from './metadata.ts';

export type LabelExpression = {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  readonly values?: readonly string[];
};

export type LabelSelector = { readonly matchLabels?: Labels; readonly matchExpressions?: readonly LabelExpression[] };

export type ListenerManifest = {
  readonly name: string;
  readonly port: number;
  readonly protocol: string;
  readonly allowedRoutes?: {
    readonly namespaces?: { readonly from?: 'Same' | 'All' | 'Selector' | 'None'; readonly selector?: LabelSelector };
  };
};

/** For the objects that are made for a Gateway. */
export type InfrastructureManifest = {
  readonly labels?: Labels;
  readonly annotations?: Labels;
  readonly parametersRef?: { readonly group: string; readonly kind: string; readonly name: string };
};

export type GatewayAddressManifest = { readonly type?: string; readonly value?: string };

export type GatewayManifest = {
  readonly metadata: NamespacedMetadata;
  readonly spec: {
    readonly gatewayClassName: string;
    readonly listeners?: readonly ListenerManifest[];
    readonly addresses?: readonly GatewayAddressManifest[];
    readonly infrastructure?: InfrastructureManifest;
  };
  /** As an API server shows it; absent in a directory. */
  readonly status?: { readonly addresses?: readonly GatewayAddressManifest[] };
};

/** What a waypoint stands before. */
export type TrafficKind = 'service' | 'workload';
export type WaypointFor = TrafficKind | 'all' | 'none';

export const waypointForValues: readonly WaypointFor[] = ['service', 'workload', 'all', 'none'];
/** Label, or annotation, of a waypoint's Gateway. */
export const waypointForKey = 'istio.io/waypoint-for';
/** Annotation: pods of a waypoint. */
export const replicasAnnotation = 'clearmesh.io/replicas';
export const maxReplicas = 8;
export const hbonePort = 15_008;

const waypointClasses: ReadonlySet<string> = new Set(['clearmesh-waypoint', 'istio-waypoint']);

const address = Type.Object({ type: Type.Optional(Type.String()), value: Type.Optional(Type.String()) }, strict);
const labels = Type.Record(Type.String(), Type.String());
const selector = Type.Object(
  {
    matchLabels: Type.Optional(labels),
    matchExpressions: Type.Optional(
      Type.Array(
        Type.Object(
          {
            key: Type.String(),
            operator: Type.Enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
            values: Type.Optional(Type.Array(Type.String())),
          },
          strict,
        ),
      ),
    ),
  },
  strict,
);
const allowedRoutes = Type.Object(
  {
    namespaces: Type.Optional(
      Type.Object(
        { from: Type.Optional(Type.Enum(['Same', 'All', 'Selector', 'None'])), selector: Type.Optional(selector) },
        strict,
      ),
    ),
    kinds: Type.Optional(Type.Unknown()),
  },
  strict,
);
const infrastructure = Type.Object(
  {
    labels: Type.Optional(labels),
    annotations: Type.Optional(labels),
    parametersRef: Type.Optional(
      Type.Object({ group: Type.String(), kind: Type.String(), name: Type.String({ minLength: 1 }) }, strict),
    ),
  },
  strict,
);
const listener = Type.Object(
  {
    name: Type.String({ minLength: 1 }),
    port: Type.Integer({ minimum: 1, maximum: 65_535 }),
    protocol: Type.String({ minLength: 1 }),
    hostname: Type.Optional(Type.String()),
    tls: Type.Optional(Type.Unknown()),
    allowedRoutes: Type.Optional(allowedRoutes),
  },
  strict,
);

export const gatewayKind: Kind<GatewayManifest> = defineKind(
  { kind: 'Gateway', apiVersions: ['gateway.networking.k8s.io/v1', 'gateway.networking.k8s.io/v1beta1'], scope: 'namespaced' },
  Type.Object({
    metadata: namespacedMetadata,
    spec: Type.Object(
      {
        gatewayClassName: Type.String({ minLength: 1 }),
        listeners: Type.Optional(Type.Array(listener)),
        addresses: Type.Optional(Type.Array(address)),
        infrastructure: Type.Optional(infrastructure),
        allowedListeners: Type.Optional(Type.Unknown()),
        defaultScope: Type.Optional(Type.String()),
        tls: Type.Optional(Type.Unknown()),
        backendTLS: Type.Optional(Type.Unknown()),
      },
      strict,
    ),
    status: Type.Optional(Type.Object({ addresses: Type.Optional(Type.Array(address)) })),
  }),
);

/** True for the classes whose Gateways are waypoints of ours. */
export function isWaypoint(gateway: GatewayManifest): boolean {
  return waypointClasses.has(gateway.spec.gatewayClassName);
}

/** True for a waypoint that runs elsewhere, at the addresses that its Gateway names. */
export function isRemoteWaypoint(gateway: GatewayManifest): boolean {
  return gateway.spec.gatewayClassName === 'istio-remote';
}

/** Classes whose Gateways stand between networks, and are nothing else. */
const eastWestClasses: ReadonlySet<string> = new Set(['istio-east-west', 'clearmesh-east-west']);
/** Label of a Gateway: which network it leads to; on a waypoint the own one, whose gateway it is for others. */
export const networkLabel = 'topology.istio.io/network';

/** True for a Gateway that can be the way to another network, and nothing else. */
export function isEastWest(gateway: GatewayManifest): boolean {
  return eastWestClasses.has(gateway.spec.gatewayClassName);
}

/** The network that a Gateway leads to; `undefined` for one that stands between no networks. */
export function networkOf(gateway: GatewayManifest): string | undefined {
  return isEastWest(gateway) || isRemoteWaypoint(gateway) ? gateway.metadata.labels?.[networkLabel] : undefined;
}

/** The listener for tunnels, whatever its port. */
export function tunnelListener(gateway: GatewayManifest): ListenerManifest | undefined {
  return gateway.spec.listeners?.find(({ protocol }) => protocol === 'HBONE');
}

/** The listener that a waypoint takes tunnels on. */
export function hboneListener(gateway: GatewayManifest): ListenerManifest | undefined {
  return gateway.spec.listeners?.find(({ protocol, port }) => protocol === 'HBONE' && port === hbonePort);
}

/** @default service; a value that is none of the words counts as `none`, since it cannot be meant as consent. */
export function waypointFor(gateway: GatewayManifest): WaypointFor {
  const text = gateway.metadata.labels?.[waypointForKey] ?? gateway.metadata.annotations?.[waypointForKey] ?? 'service';
  return waypointForValues.find((value) => value === text) ?? 'none';
}

/** Pods to run, or `undefined` for an annotation that is no number from 1 to {@link maxReplicas}. @default 1 */
export function replicasOf(gateway: GatewayManifest): number | undefined {
  const text = gateway.metadata.annotations?.[replicasAnnotation] ?? '1';
  const count = /^[1-9]\d{0,2}$/.test(text) ? Number(text) : 0;
  return count >= 1 && count <= maxReplicas ? count : undefined;
}

/** False where the user names where the waypoint is: its pods are then the user's own (contract section 3). */
export function isManaged(gateway: GatewayManifest): boolean {
  const { addresses = [] } = gateway.spec;
  return addresses.length <= 1 && addresses.every(({ type = 'IPAddress' }) => type !== 'Hostname');
}
