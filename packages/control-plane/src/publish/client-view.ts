/**
 * What one proxy may see of the published resources: a waypoint its own configuration and nobody else's, a node proxy none
 * at all. Workloads, services and layer-4 policies are for both.
 *
 * The token decides, not what is asked for: a waypoint runs under an account of its Gateway's name.
 */
import { ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL, WAYPOINT_CONFIGURATION_TYPE_URL } from '@clearmesh/shared/wire/type-urls';
import { waypointResourceName } from '@clearmesh/shared/wire/waypoint-configuration';
import type { Resources, ResourceSet } from '@clearmesh/shared/subscribe/resource-set';
import type { Caller } from '../certify/caller.ts';
import type { ProxyKind } from './node-identity.ts';

/** Types that a proxy of this kind may subscribe to. */
export function typesFor(kind: ProxyKind): readonly string[] {
  const common = [ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL];
  return kind === 'waypoint' ? [...common, WAYPOINT_CONFIGURATION_TYPE_URL] : common;
}

/** The resource name of the configuration that a waypoint with this token gets. */
export function ownResource(caller: Caller): string {
  return waypointResourceName({ namespace: caller.namespace, name: caller.serviceAccount });
}

const nothing: Resources = new Map();

/** One proxy's view, made anew only when what it shows has changed: streams compare maps by identity. */
export class ClientView {
  readonly #kind: ProxyKind;
  readonly #own: string;
  #configuration: Resources = nothing;

  constructor(kind: ProxyKind, caller: Caller) {
    this.#kind = kind;
    this.#own = ownResource(caller);
  }

  of(resources: ResourceSet): ResourceSet {
    if (this.#kind !== 'waypoint') return without(resources);
    const own = resources.get(WAYPOINT_CONFIGURATION_TYPE_URL)?.get(this.#own);
    if (this.#configuration.get(this.#own)?.version !== own?.version)
      this.#configuration = own === undefined ? nothing : new Map([[this.#own, own]]);
    return new Map([...resources, [WAYPOINT_CONFIGURATION_TYPE_URL, this.#configuration]]);
  }
}

function without(resources: ResourceSet): ResourceSet {
  return new Map([...resources].filter(([type]) => type !== WAYPOINT_CONFIGURATION_TYPE_URL));
}
