/**
 * What a name means to a pod: a service or a workload of the mesh, or nothing that the mesh knows (l4-contract
 * section 10). Pure: (question, client, snapshot) → resolution.
 *
 * N1  A pod learns only what is visible to its namespace; a hidden name is asked of the pod's resolver, as an unknown one.
 * N2  A name that is known is answered, if need be with no address: another server would say that it does not exist.
 */
import { ipFamily } from '@clearmesh/shared/model/ip-address';
import type { IpAddress } from '@clearmesh/shared/model/ip-address';
import type { Service, ServiceAddress } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import { isVisible } from '@clearmesh/shared/resolve/address-lookup';
import { permitsFamily } from '@clearmesh/shared/resolve/endpoint';
import type { Snapshot } from '@clearmesh/shared/snapshot/snapshot';
import { candidateNames, withWildcards } from './candidate-names.ts';

export type NameQuestion = {
  /** Lower case, without the final dot. */
  readonly name: string;
  readonly family: 4 | 6;
};

export type NamingOptions = {
  readonly clusterDomain: string;
  /** Search suffixes of the client. @default those of its namespace */
  readonly searchList?: readonly string[];
  /** Of services with one hostname, those of this namespace come before the first; "" for none. */
  readonly preferredNamespace: string;
  /** Whether IPv6 addresses are told. */
  readonly ipv6: boolean;
};

export type Resolution =
  | { readonly kind: 'unknown' }
  | {
      readonly kind: 'known';
      /** The hostname found, a wildcard included. */
      readonly hostname: string;
      /** What the asked name is an alias of, when a search suffix was taken off. */
      readonly alias?: string;
      readonly addresses: readonly IpAddress[];
    };

type Asker = { readonly client: Workload; readonly snapshot: Snapshot; readonly options: NamingOptions };

export function resolveName(question: NameQuestion, client: Workload, snapshot: Snapshot, options: NamingOptions): Resolution {
  const asker: Asker = { client, snapshot, options };
  const isTold = (ip: IpAddress): boolean => ipFamily(ip) === question.family && (options.ipv6 || question.family === 4);
  for (const { name, stripped } of candidateNames(question.name, { ...options, namespace: client.namespace })) {
    for (const hostname of withWildcards(name)) {
      const owners = ownersOf(hostname, asker);
      if (owners === undefined) continue;
      // One address of each owner and family (an owner is a VIP, or an endpoint with all its addresses).
      const addresses = owners.map((owned) => owned.find(isTold)).filter((ip) => ip !== undefined);
      return {
        kind: 'known',
        hostname,
        addresses: [...new Set(addresses)],
        ...(stripped === undefined ? {} : { alias: stripped }),
      };
    }
  }
  return { kind: 'unknown' };
}

/** What has addresses under this hostname, or `undefined` when the mesh does not know it. */
function ownersOf(hostname: string, asker: Asker): readonly (readonly IpAddress[])[] | undefined {
  const service = serviceOf(hostname, asker);
  if (service !== undefined) return serviceOwners(service, asker);
  const near = asker.snapshot.workloadsByHostname(hostname).filter(({ network }) => network === asker.client.network);
  // Of one that is itself known by name only, the pod's resolver knows more.
  const addressed = near.filter(({ addresses }) => addresses.length > 0);
  return addressed.length > 0 ? addressed.map(({ addresses }) => addresses) : undefined;
}

/** N1; then the client's namespace, the canonical one, the preferred namespace, the first. */
function serviceOf(hostname: string, { client, snapshot, options }: Asker): Service | undefined {
  const eligible = snapshot
    .servicesByHostname(hostname)
    .filter((service) => isVisible(service, client.namespace) && isResolvable(service, options));
  return (
    eligible.find(({ namespace }) => namespace === client.namespace) ??
    eligible.find(({ canonical }) => canonical) ??
    eligible.find(({ namespace }) => namespace === options.preferredNamespace) ??
    eligible[0]
  );
}

/** A service without an address of its own stands for its endpoints only if it is one of Kubernetes (a headless one). */
function isResolvable(service: Service, { clusterDomain }: NamingOptions): boolean {
  return exactVips(service).length > 0 || service.hostname.endsWith(`.svc.${clusterDomain}`);
}

function serviceOwners(service: Service, { client, snapshot }: Asker): readonly (readonly IpAddress[])[] {
  const vips = exactVips(service);
  const owners =
    vips.length > 0
      ? vips.filter(({ network }) => network === client.network).map(({ ip }) => [ip])
      : snapshot
          .endpoints(service.key)
          .filter((workload) => workload.network === client.network && isServing(workload, service))
          .map(({ addresses }) => addresses);
  return owners.map((owned) => owned.filter((ip) => permitsFamily(service, ip)));
}

/** A block of addresses is none that could be told. */
function exactVips({ addresses }: Service): readonly ServiceAddress[] {
  return addresses.filter(({ prefixLength }) => prefixLength === undefined);
}

function isServing({ status }: Workload, { loadBalancing }: Service): boolean {
  return status === 'HEALTHY' || loadBalancing?.healthPolicy === 'ALLOW_ALL';
}
