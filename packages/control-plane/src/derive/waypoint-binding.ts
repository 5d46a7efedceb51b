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
import { hboneListener, hbonePort, isManaged, isWaypoint, waypointFor } from '../manifest/gateway.ts';
import { belongsToWaypoint, isGatewayPod } from '../manifest/managed.ts';
import { objectName } from '../manifest/collections.ts';
import { isOfRevision, matchesSelector } from './labels.ts';
import type { Collections } from '../manifest/collections.ts';
import type { GatewayAddressManifest, GatewayManifest, TrafficKind } from '../manifest/gateway.ts';
import type { Labels } from '../manifest/metadata.ts';
import type { PodManifest } from '../manifest/pod.ts';
import type { ServiceManifest } from '../manifest/service.ts';
import type { DeriveOptions } from './options.ts';

export const useWaypointLabel = 'istio.io/use-waypoint';
export const useWaypointNamespaceLabel = 'istio.io/use-waypoint-namespace';

export type BindingReason = 'WaypointAccepted' | 'WaypointIsNotReady' | 'AttachmentDenied' | 'UnsupportedTrafficType';

/** What became of a label. */
export type Binding = {
  /** `namespace/name` of the Gateway that is named, whether it exists or not. */
  readonly gateway: string;
  /** Where the traffic must go; absent: it is not bound. */
  readonly address?: GatewayAddress;
  /** The waypoint itself is told of it, and takes its traffic. */
  readonly served: boolean;
  readonly reason: BindingReason;
};

/** Whether a waypoint has a pod that is ready, by where it is found. */
export type Readiness = (address: GatewayAddress) => boolean;

type Reference = { readonly name: string; readonly namespace: string; readonly own: boolean };

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
    const { labels, namespace } = service.metadata;
    if (service.spec?.type === 'ExternalName' || belongsToWaypoint(labels)) return undefined;
    return this.#resolve(labels, namespace, 'service');
  }

  /** `undefined` when nothing names a waypoint for its traffic. */
  ofPod(pod: PodManifest): Binding | undefined {
    const { labels, namespace } = pod.metadata;
    return isGatewayPod(labels) ? undefined : this.#resolve(labels, namespace, 'workload');
  }

  #resolve(labels: Labels | undefined, namespace: string, kind: TrafficKind): Binding | undefined {
    const reference = referenceOf(labels, this.#namespaceLabels(namespace), namespace);
    if (reference === undefined) return undefined;
    const key = objectName(reference);
    const gateway = this.#gateways.get(key);
    return this.#options.waypointBinding === 'upstream'
      ? this.#upstream(key, gateway, namespace, kind)
      : this.#required(key, reference, gateway, namespace, kind);
  }

  #required(
    key: string,
    reference: Reference,
    gateway: GatewayManifest | undefined,
    namespace: string,
    kind: TrafficKind,
  ): Binding {
    if (gateway === undefined || !isWaypoint(gateway)) {
      return { gateway: key, address: this.#serviceAddress(reference), served: false, reason: 'WaypointIsNotReady' };
    }
    const address = addressOf(gateway, this.#options) ?? this.#serviceAddress(reference);
    if (!this.#admits(gateway, namespace)) return { gateway: key, address, served: false, reason: 'AttachmentDenied' };
    if (!takes(gateway, kind)) {
      const bound = reference.own ? { address } : {};
      return { gateway: key, ...bound, served: false, reason: 'UnsupportedTrafficType' };
    }
    return { gateway: key, address, served: true, reason: this.#isReady(address) ? 'WaypointAccepted' : 'WaypointIsNotReady' };
  }

  /** As istiod: by the addresses in the Gateway's status, and what is not ready is left out. */
  #upstream(key: string, gateway: GatewayManifest | undefined, namespace: string, kind: TrafficKind): Binding {
    const addresses = gateway?.status?.addresses ?? [];
    const known = gateway !== undefined && (isWaypoint(gateway) || gateway.spec.gatewayClassName === 'istio-remote');
    const address = known ? addressFrom(addresses, gateway, this.#options) : undefined;
    if (gateway === undefined || address === undefined) return { gateway: key, served: false, reason: 'WaypointIsNotReady' };
    if (!this.#admits(gateway, namespace)) return { gateway: key, served: false, reason: 'AttachmentDenied' };
    if (!takes(gateway, kind)) return { gateway: key, served: false, reason: 'UnsupportedTrafficType' };
    return { gateway: key, address, served: true, reason: 'WaypointAccepted' };
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

/** Where a waypoint of ours is found; `undefined` when it names addresses of its own that are none. */
export function addressOf(gateway: GatewayManifest, options: DeriveOptions): GatewayAddress | undefined {
  const { name, namespace } = gateway.metadata;
  if (isManaged(gateway)) return hostnameAddress(namespace, `${name}.${namespace}.svc.${options.domain}`);
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

function referenceOf(own: Labels | undefined, inherited: Labels, namespace: string): Reference | undefined {
  const labels = (own?.[useWaypointLabel] ?? '') === '' ? inherited : own;
  const name = labels?.[useWaypointLabel] ?? '';
  if (name === '' || name === 'none') return undefined;
  return { name, namespace: labels?.[useWaypointNamespaceLabel] || namespace, own: labels === own };
}

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
