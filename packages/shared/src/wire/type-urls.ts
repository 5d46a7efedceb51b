/** Type URLs of the discovery resources (l4-contract section 3.1). */

export const ADDRESS_TYPE_URL = 'type.googleapis.com/istio.workload.Address';
export const AUTHORIZATION_TYPE_URL = 'type.googleapis.com/istio.security.Authorization';
/** What a waypoint is told of layer 7; of Clearmesh alone. */
export const WAYPOINT_CONFIGURATION_TYPE_URL = 'type.googleapis.com/clearmesh.waypoint.v1.Configuration';
