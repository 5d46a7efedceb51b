/**
 * Which waypoint the traffic of a service, or to a pod's own address, must pass (control-plane-contract section 1.3).
 *
 * B1  The own label decides, else the namespace's; an own label that leads nowhere never falls back.
 * B2  A waypoint that is named is required (design decision 1): missing, of another class, without a ready pod or without
 *     consent, it is bound nevertheless, and node proxies refuse the calls (NWP). Only `none` opts out.
 * B3  A namespace's label is meant for the kind of traffic that its waypoint takes: what merely inherits the label and is of
 *     the other kind is not bound. An own label names the waypoint for this very object, and falls under B2.
 * B4  Services and pods of waypoints never get one.
 */
import { parseIp } from '@clearmesh/shared/model/ip-address';
import { serviceKey } from '@clearmesh/shared/model/names';
import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import { hboneListener, hbonePort, isManaged, isRemoteWaypoint, isWaypoint, waypointFor } from '../manifest/gateway.ts';
import { belongsToWaypoint } from '../manifest/managed.ts';
import { objectName } from '../manifest/collections.ts';
import { visibilityOf } from './entry-host.ts';
import { isOfRevision, matchesSelector } from './labels.ts';
import { canaryWeightAnnotation, referencesOf } from './waypoint-reference.ts';
import type { Collections } from '../manifest/collections.ts';
import type { GatewayAddressManifest, GatewayManifest, TrafficKind } from '../manifest/gateway.ts';
import type { Labels } from '../manifest/metadata.ts';
import type { ServiceEntryManifest } from '../manifest/service-entry.ts';
import type { ServiceManifest } from '../manifest/service.ts';
import type { DeriveOptions } from './options.ts';
import type { CanaryReference, Level, Reference } from './waypoint-reference.ts';

export type BindingReason =
  | 'WaypointAccepted'
  | 'WaypointIsNotReady'
  | 'AttachmentDenied'
  | 'UnsupportedTrafficType'
  | 'CrossNamespaceWaypointForbidden';

/** What became of a label. */
export type Binding = {
  /** `namespace/name` of the Gateway that is named, whether it exists or not. */
  readonly gateway: string;
  /** Where the traffic must go; absent: it is not bound. */
  readonly address?: GatewayAddress;
  /** The waypoint itself is told of it, and takes its traffic. */
  readonly served: boolean;
  readonly reason: BindingReason;
  /** Only beside an address, and only of a service. */
  readonly canary?: Canary;
};

/** Whether a waypoint has a pod that is ready, by where it is found. */
export type Readiness = (address: GatewayAddress) => boolean;

/** A second waypoint that takes a share of the traffic; one that is no use takes nothing, and says why. */
export type Canary =
  | {
      readonly kind: 'used';
      readonly gateway: string;
      readonly address: GatewayAddress;
      /** Percent. */
      readonly weight: number;
      readonly served: boolean;
    }
  | { readonly kind: 'unused'; readonly gateway: string; readonly why: string };

export class WaypointBindings {
  readonly #collections: Collections;
  readonly #options: DeriveOptions;
  readonly #isReady: Readiness;
  readonly #gateways: ReadonlyMap<string, GatewayManifest>;

  constructor(collections: Collections, options: DeriveOptions, isReady: Readiness) {
    this.#collections = collections;
    this.#options = options;
    this.#isReady = isReady;
    const ours = collections.gateways.filter((gateway) => isOfRevision(gateway.metadata.labels, options.revision));
    this.#gateways = new Map(ours.map((gateway) => [objectName(gateway.metadata), gateway]));
  }

  /** Waypoints of this mesh, sorted. */
  get waypoints(): readonly GatewayManifest[] {
    return [...this.#gateways.values()].filter(isWaypoint);
  }

  /** `undefined` when nothing names a waypoint. */
  ofService(service: ServiceManifest): Binding | undefined {
    const { metadata, spec } = service;
    if (spec?.type === 'ExternalName' || belongsToWaypoint(metadata.labels)) return undefined;
    return this.#resolve(metadata, metadata.namespace, 'service');
  }

  /** Of each host of the entry; `undefined` when nothing names a waypoint. */
  ofEntry(entry: ServiceEntryManifest): Binding | undefined {
    const { namespace } = entry.metadata;
    const binding = this.#resolve(entry.metadata, namespace, 'service');
    if (binding === undefined || visibilityOf(entry) !== 'NAMESPACE' || binding.gateway.startsWith(`${namespace}/`))
      return binding;
    // A waypoint elsewhere would have to know what is known here alone.
    const { gateway, address } = binding;
    const bound = address === undefined || this.#options.waypointBinding === 'upstream' ? {} : { address };
    return { gateway, ...bound, served: false, reason: 'CrossNamespaceWaypointForbidden' };
  }

  /** `undefined` when nothing names a waypoint for the traffic to its own address. */
  ofWorkload(labels: Labels, namespace: string): Binding | undefined {
    return this.#resolve({ labels }, namespace, 'workload');
  }

  #resolve(own: Level, namespace: string, kind: TrafficKind): Binding | undefined {
    const references = referencesOf(own, this.#collections.namespaces.get(namespace)?.metadata ?? {}, namespace);
    if (references === undefined) return undefined;
    const { primary, canary } = references;
    const key = objectName(primary);
    const gateway = this.#gateways.get(key);
    const binding =
      this.#options.waypointBinding === 'upstream'
        ? this.#upstream(key, gateway, namespace, kind)
        : this.#required(key, primary, gateway, namespace, kind);
    if (canary === undefined || kind !== 'service' || binding.address === undefined) return binding;
    return { ...binding, canary: this.#canary(canary, namespace) };
  }

  /** It takes its share only when it could take all: who tries something new must not lose calls by it. */
  #canary(reference: CanaryReference, namespace: string): Canary {
    const key = objectName(reference);
    const gateway = this.#gateways.get(key);
    const { weight } = reference;
    const unused = (why: string): Canary => ({ kind: 'unused', gateway: key, why });
    if (weight === undefined) return unused(`annotation ${canaryWeightAnnotation} is no number from 0 to 100`);
    const found =
      this.#options.waypointBinding === 'upstream'
        ? this.#upstream(key, gateway, namespace, 'service')
        : this.#required(key, { ...reference, own: true }, gateway, namespace, 'service');
    if (found.reason !== 'WaypointAccepted' || found.address === undefined) return unused(canaryFaults[found.reason]);
    return { kind: 'used', gateway: key, address: found.address, weight, served: found.served };
  }

  #required(
    key: string,
    reference: Reference,
    gateway: GatewayManifest | undefined,
    namespace: string,
    kind: TrafficKind,
  ): Binding {
    const remote = gateway !== undefined && isRemoteWaypoint(gateway);
    if (gateway === undefined || !(remote || isWaypoint(gateway))) {
      return { gateway: key, address: this.#serviceAddress(reference), served: false, reason: 'WaypointIsNotReady' };
    }
    const own = addressOf(gateway, this.#options);
    const address = own ?? this.#serviceAddress(reference);
    if (!this.#admits(gateway, namespace)) return { gateway: key, address, served: false, reason: 'AttachmentDenied' };
    if (!takes(gateway, kind)) {
      const bound = reference.own ? { address } : {};
      return { gateway: key, ...bound, served: false, reason: 'UnsupportedTrafficType' };
    }
    // Of a remote one nobody tells whether it is there: its address is all that can be asked for.
    const ready = remote ? own !== undefined : this.#isReady(address);
    return { gateway: key, address, served: !remote, reason: ready ? 'WaypointAccepted' : 'WaypointIsNotReady' };
  }

  /** As istiod: by the addresses in the Gateway's status, and what is not ready is left out. */
  #upstream(key: string, gateway: GatewayManifest | undefined, namespace: string, kind: TrafficKind): Binding {
    const addresses = gateway?.status?.addresses ?? [];
    const known = gateway !== undefined && (isWaypoint(gateway) || isRemoteWaypoint(gateway));
    const address = known ? addressFrom(addresses, gateway, this.#options) : undefined;
    if (gateway === undefined || address === undefined) return { gateway: key, served: false, reason: 'WaypointIsNotReady' };
    if (!this.#admits(gateway, namespace)) return { gateway: key, served: false, reason: 'AttachmentDenied' };
    if (!takes(gateway, kind)) return { gateway: key, served: false, reason: 'UnsupportedTrafficType' };
    return { gateway: key, address, served: isWaypoint(gateway), reason: 'WaypointAccepted' };
  }

  /** Where the Service of a Gateway of that name would be: an address that nobody answers, where there is none. */
  #serviceAddress({ name, namespace }: Reference): GatewayAddress {
    return hostnameAddress(namespace, `${name}.${namespace}.svc.${this.#options.domain}`);
  }

  #admits(gateway: GatewayManifest, namespace: string): boolean {
    const { from = 'Same', selector } = hboneListener(gateway)?.allowedRoutes?.namespaces ?? {};
    if (from === 'All') return true;
    if (from === 'Same') return gateway.metadata.namespace === namespace;
    // Kubernetes sets this label on every namespace; in a directory nobody does.
    const labels = { 'kubernetes.io/metadata.name': namespace, ...this.#namespaceLabels(namespace) };
    return from === 'Selector' && selector !== undefined && matchesSelector(labels, selector);
  }

  #namespaceLabels(namespace: string): Labels {
    return this.#collections.namespaces.get(namespace)?.metadata.labels ?? {};
  }
}

/** Where a waypoint is found; `undefined` when it names addresses of its own that are none. */
export function addressOf(gateway: GatewayManifest, options: DeriveOptions): GatewayAddress | undefined {
  const { name, namespace } = gateway.metadata;
  if (isManaged(gateway) && !isRemoteWaypoint(gateway))
    return hostnameAddress(namespace, `${name}.${namespace}.svc.${options.domain}`);
  return addressFrom(gateway.spec.addresses ?? [], gateway, options);
}

/** A name before an address: its endpoints may move. */
function addressFrom(
  addresses: readonly GatewayAddressManifest[],
  gateway: GatewayManifest,
  options: DeriveOptions,
): GatewayAddress | undefined {
  const hostname = addresses.find(({ type, value }) => type === 'Hostname' && value !== undefined)?.value;
  if (hostname !== undefined) return hostnameAddress(namespaceOf(hostname, options) ?? gateway.metadata.namespace, hostname);
  const [ip] = addresses.flatMap(({ type = 'IPAddress', value = '' }) => (type === 'IPAddress' ? (parseIp(value) ?? []) : []));
  if (ip === undefined) return undefined;
  return { kind: 'address', address: { network: options.network, ip }, hboneMtlsPort: hbonePort };
}

function hostnameAddress(namespace: string, hostname: string): GatewayAddress {
  return { kind: 'hostname', namespace, hostname, hboneMtlsPort: hbonePort };
}

/** `name.namespace.svc.<domain>` says in which namespace its Service is. */
function namespaceOf(hostname: string, { domain }: DeriveOptions): string | undefined {
  const suffix = `.svc.${domain}`;
  const parts = hostname.endsWith(suffix) ? hostname.slice(0, -suffix.length).split('.') : [];
  return parts.length === 2 ? parts[1] : undefined;
}

const canaryFaults: Readonly<Record<BindingReason, string>> = {
  WaypointAccepted: 'it names no address',
  WaypointIsNotReady: 'it is not ready, or missing',
  AttachmentDenied: 'it does not admit this namespace',
  UnsupportedTrafficType: 'it does not take traffic of services',
  CrossNamespaceWaypointForbidden: 'it is in another namespace',
};

function takes(gateway: GatewayManifest, kind: TrafficKind): boolean {
  const wanted = waypointFor(gateway);
  return wanted === 'all' || wanted === kind;
}

/** Readiness as workloads show it: a healthy one behind the Service, or at the address. */
export function readinessOf(
  workloads: readonly {
    readonly status: string;
    readonly services: ReadonlyMap<string, unknown>;
    readonly addresses: readonly string[];
  }[],
  services: readonly { readonly key: string; readonly addresses: readonly { readonly ip: string }[] }[],
): Readiness {
  const healthy = workloads.filter(({ status }) => status === 'HEALTHY');
  const behind = new Set(healthy.flatMap((workload) => [...workload.services.keys()]));
  return (address) => {
    if (address.kind === 'hostname') return behind.has(serviceKey(address.namespace, address.hostname));
    const { ip } = address.address;
    if (healthy.some((workload) => workload.addresses.includes(ip))) return true;
    return services.some(({ key, addresses }) => behind.has(key) && addresses.some((each) => each.ip === ip));
  };
}
