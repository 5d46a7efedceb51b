/** The model as resources on the wire: bytes, and a version that is a hash of them. */
import { createHash } from 'node:crypto';
import { encodeAuthorization } from '@clearmesh/shared/wire/authorization';
import { encodeService, encodeWorkload } from '@clearmesh/shared/wire/wds';
import { encodeWaypointConfiguration, waypointResourceName } from '@clearmesh/shared/wire/waypoint-configuration';
import { ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL, WAYPOINT_CONFIGURATION_TYPE_URL } from '@clearmesh/shared/wire/type-urls';
import type { PublishedResource, Resources, ResourceSet } from '@clearmesh/shared/subscribe/resource-set';
import type { Service } from '@clearmesh/shared/model/service';
import type { Workload } from '@clearmesh/shared/model/workload';
import type { MeshModel } from '../derive/mesh-model.ts';

/**
 * The resources of a model. A type whose content equals that of `previous` keeps its very map,
 * by which streams see without a look inside that nothing is to be sent.
 */
export function modelResources(model: MeshModel, previous: ResourceSet | undefined): ResourceSet {
  const addresses = new Map<string, PublishedResource>([
    ...model.workloads.map((w): [string, PublishedResource] => [
      w.uid,
      { ...resource(encodeWorkload(w), workloadAliases(w)), behind: [...w.services.keys()], node: w.node },
    ]),
    ...model.services.map((s): [string, PublishedResource] => [s.key, resource(encodeService(s), serviceAliases(s))]),
  ]);
  const policies = new Map(model.policies.map((p): [string, PublishedResource] => [p.key, resource(encodeAuthorization(p), [])]));
  const waypoints = new Map(
    model.waypoints.map((w): [string, PublishedResource] => [
      waypointResourceName(w),
      resource(encodeWaypointConfiguration(w), []),
    ]),
  );
  return new Map([
    [ADDRESS_TYPE_URL, kept(addresses, previous?.get(ADDRESS_TYPE_URL))],
    [AUTHORIZATION_TYPE_URL, kept(policies, previous?.get(AUTHORIZATION_TYPE_URL))],
    [WAYPOINT_CONFIGURATION_TYPE_URL, kept(waypoints, previous?.get(WAYPOINT_CONFIGURATION_TYPE_URL))],
  ]);
}

/** True when no type changed. */
export function sameResources(a: ResourceSet | undefined, b: ResourceSet): boolean {
  return a !== undefined && [...b].every(([type, resources]) => a.get(type) === resources);
}

/** 96 bits of SHA-256: content decides, so that a reconnect after a restart of the control plane re-sends nothing. */
function resource(value: Uint8Array, aliases: readonly string[]): PublishedResource {
  return { version: createHash('sha256').update(value).digest('hex').slice(0, 24), value, aliases };
}

/** l4-contract section 3.2; and by its hostname, since a waypoint may be named by that (section 7.1). */
function workloadAliases({ network, namespace, hostname, addresses }: Workload): readonly string[] {
  const byAddress = addresses.map((ip) => `${network}/${ip}`);
  return hostname === '' ? byAddress : [...byAddress, `${namespace}/${hostname}`];
}

function serviceAliases(service: Service): readonly string[] {
  return service.addresses.map(({ network, ip, prefixLength }) =>
    prefixLength === undefined ? `${network}/${ip}` : `${network}/${ip}/${prefixLength}`,
  );
}

function kept(next: Resources, previous: Resources | undefined): Resources {
  if (previous === undefined || previous.size !== next.size) return next;
  for (const [name, { version }] of next) if (previous.get(name)?.version !== version) return next;
  return previous;
}
