/**
 * How workloads of other networks are reached (control-plane-contract section 9): by the Gateway that says it is theirs.
 *
 *   Gateway with label topology.istio.io/network: west, spec.addresses, a listener of protocol HBONE
 *     ─▶ a workload for the gateway, with the identity of its account
 *     ─▶ its address in every workload of network west
 *     ─▶ the identities of those workloads among the names of their services: whom a caller accepts at the far end
 *
 * N1  The first Gateway of a network, by namespace and name, is the one; others of the network are told so.
 * N2  Workloads of the own network get no gateway, and a Gateway of the own network is nobody's way to another. One that can be
 *     nothing else is told so.
 * N3  A workload whose account nobody knows adds no name: a caller must not accept whoever has the default account.
 */
import { spiffeId } from '@clearmesh/shared/identity/spiffe';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import type { GatewayAddress } from '@clearmesh/shared/model/gateway-address';
import { parseIp } from '@clearmesh/shared/model/ip-address';
import { networkGatewayUid } from '@clearmesh/shared/model/names';
import type { ServiceKey } from '@clearmesh/shared/model/names';
import type { Service } from '@clearmesh/shared/model/service';
import { sparseWorkload } from '@clearmesh/shared/model/sparse-workload';
import type { Workload } from '@clearmesh/shared/model/workload';
import { isEastWest, networkLabel, networkOf, tunnelListener } from '../manifest/gateway.ts';
import type { GatewayManifest } from '../manifest/gateway.ts';
import type { Endpoint } from './endpoint.ts';
import { isOfRevision } from './labels.ts';
import { objectKey } from './l7/object-key.ts';
import type { Note } from './mesh-model.ts';
import type { DeriveOptions } from './options.ts';

type NetworkGateway = { readonly address: GatewayAddress; readonly workload: Workload };

/** Annotation: the account whose identity the gateway proves. @default the Gateway's name */
const accountAnnotation = 'gateway.istio.io/service-account';

export class NetworkGateways {
  readonly notes: readonly Note[];
  readonly #gateways = new Map<string, NetworkGateway>();
  readonly #ownNetwork: string;

  /** @param gateways sorted by namespace and name */
  constructor(gateways: readonly GatewayManifest[], options: DeriveOptions) {
    this.#ownNetwork = options.network;
    const ours = gateways.filter(({ metadata }) => isOfRevision(metadata.labels, options.revision));
    this.notes = ours.flatMap((gateway) => this.#add(gateway, options));
  }

  /** Of the gateways themselves. */
  get workloads(): readonly Workload[] {
    return [...this.#gateways.values()].map(({ workload }) => workload);
  }

  /** With the way to those that are elsewhere. */
  withGateways(endpoints: readonly Endpoint[]): readonly Endpoint[] {
    return endpoints.map((endpoint) => {
      const { workload } = endpoint;
      const gateway = workload.network === this.#ownNetwork ? undefined : this.#gateways.get(workload.network);
      return gateway === undefined ? endpoint : { ...endpoint, workload: { ...workload, networkGateway: gateway.address } };
    });
  }

  /** With the identities that callers of this network may find in others. */
  withNames(services: readonly Service[], workloads: readonly Workload[]): readonly Service[] {
    const names = this.#namesOf(workloads);
    return services.map((service) => {
      const found = names.get(service.key);
      if (found === undefined) return service;
      return { ...service, subjectAltNames: [...new Set([...service.subjectAltNames, ...[...found].sort()])] };
    });
  }

  #namesOf(workloads: readonly Workload[]): ReadonlyMap<ServiceKey, ReadonlySet<SpiffeId>> {
    const names = new Map<ServiceKey, Set<SpiffeId>>();
    for (const workload of workloads) {
      // N3.
      if (workload.networkGateway === undefined || workload.serviceAccount === '') continue;
      for (const key of workload.services.keys()) {
        const known = names.get(key) ?? new Set();
        names.set(key, known.add(spiffeId(workload)));
      }
    }
    return names;
  }

  #add(gateway: GatewayManifest, options: DeriveOptions): readonly Note[] {
    const note = (message: string): readonly Note[] => [{ object: objectKey('Gateway', gateway), message }];
    const network = networkOf(gateway);
    // N2.
    if (network === undefined || network === options.network) {
      const idle = idleness(gateway, options);
      return idle === undefined ? [] : note(idle);
    }
    const found = placeOf(gateway, network);
    if (typeof found === 'string') return note(`network ${network} is not reached by it: ${found}`);
    // N1.
    if (this.#gateways.has(network)) return note(`network ${network} is reached by another Gateway, which comes first`);
    this.#gateways.set(network, { address: found.address, workload: workloadOf(gateway, network, found, options) });
    return [];
  }
}

/** Why a Gateway that can only lead to another network leads to none; `undefined` for one that leads there, or does something else. */
export function idleness(gateway: GatewayManifest, options: Pick<DeriveOptions, 'network'>): string | undefined {
  const network = networkOf(gateway);
  if (!isEastWest(gateway) || (network !== undefined && network !== options.network)) return undefined;
  if (network === undefined || network === '') return `it leads to no network: write which one into its label ${networkLabel}`;
  return (
    `it leads to no other network: ${network} is the own one of this mesh, whose gateway for callers of others is a Gateway of ` +
    `class clearmesh-waypoint with the same label ${networkLabel}`
  );
}

type Place = { readonly address: GatewayAddress; readonly host: string };

/** An address before a name; or what it lacks. */
function placeOf(gateway: GatewayManifest, network: string): Place | string {
  const port = tunnelListener(gateway)?.port;
  if (port === undefined) return 'it has no listener of protocol HBONE';
  const { addresses = [] } = gateway.spec;
  const [ip] = addresses.flatMap(({ type = 'IPAddress', value = '' }) => (type === 'IPAddress' ? (parseIp(value) ?? []) : []));
  if (ip !== undefined) return { address: { kind: 'address', address: { network, ip }, hboneMtlsPort: port }, host: ip };
  const hostname = addresses.find(({ type, value }) => type === 'Hostname' && value !== undefined)?.value;
  if (hostname === undefined) return 'spec.addresses names no address';
  const { namespace } = gateway.metadata;
  return { address: { kind: 'hostname', namespace, hostname, hboneMtlsPort: port }, host: hostname };
}

function workloadOf(
  { metadata }: GatewayManifest,
  network: string,
  { address, host }: Place,
  { clusterId, trustDomain }: DeriveOptions,
): Workload {
  const { name, namespace, annotations } = metadata;
  return sparseWorkload({
    uid: networkGatewayUid(network, host, address.hboneMtlsPort),
    name,
    namespace,
    addresses: address.kind === 'address' ? [address.address.ip] : [],
    hostname: address.kind === 'address' ? '' : address.hostname,
    network,
    trustDomain,
    serviceAccount: annotations?.[accountAnnotation] ?? name,
    clusterId,
    workloadType: 'DEPLOYMENT',
  });
}
