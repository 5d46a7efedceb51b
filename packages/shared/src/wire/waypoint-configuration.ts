/** One resource of {@link WAYPOINT_CONFIGURATION_TYPE_URL}: what a waypoint is told of layer 7, as JSON in an envelope. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { Value } from 'typebox/value';
import type { L7Policies, ObjectKey, WaypointConfiguration } from '../model/l7/configuration.ts';
import { ConfigurationSchema } from './gen/waypoint/configuration_pb.ts';
import { decodeOrReject, refuse } from './rejected.ts';
import type { Rejected } from './rejected.ts';
import { waypointConfigurationSchema } from './waypoint-configuration-schema.ts';

/** The shape of the JSON that this release writes, and the only one it reads. */
export const WAYPOINT_SCHEMA = 1;

export type DecodedWaypointConfiguration =
  | { readonly kind: 'configuration'; readonly configuration: WaypointConfiguration }
  | Rejected;

/** The resource name of a waypoint's configuration, `namespace/gateway`. */
export function waypointResourceName(gateway: { readonly namespace: string; readonly name: string }): string {
  return `${gateway.namespace}/${gateway.name}`;
}

export function encodeWaypointConfiguration(configuration: WaypointConfiguration): Uint8Array {
  return toBinary(
    ConfigurationSchema,
    create(ConfigurationSchema, {
      waypoint: waypointResourceName(configuration),
      schema: WAYPOINT_SCHEMA,
      json: new TextEncoder().encode(JSON.stringify(configuration)),
    }),
  );
}

/** Never throws: what cannot be used is rejected whole, with the path of the field in the reason. */
export function decodeWaypointConfiguration(bytes: Uint8Array): DecodedWaypointConfiguration {
  return decodeOrReject((): DecodedWaypointConfiguration => {
    const { waypoint, schema, json } = fromBinary(ConfigurationSchema, bytes);
    if (schema !== WAYPOINT_SCHEMA) return refuse(`schema: ${schema} is unknown, only ${WAYPOINT_SCHEMA} is understood`);
    const value = parseJson(json);
    const [wrong] = Value.Errors(waypointConfigurationSchema, value);
    if (wrong !== undefined) return refuse(`json${describe(wrong).slice(0, 500)}`);
    const configuration = value as WaypointConfiguration;
    const described = waypointResourceName(configuration);
    if (described !== waypoint) return refuse(`waypoint: ${quoted(waypoint)} is not the one of the json, ${quoted(described)}`);
    requirePolicies(configuration);
    return { kind: 'configuration', configuration };
  });
}

function parseJson(json: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json)) as unknown;
  } catch (error) {
    return refuse(`json: ${error instanceof Error ? error.message : String(error)}`);
  }
}

type SchemaError = ReturnType<typeof Value.Errors>[number];

/** Inside a union every branch complains, the one that was meant among them: only the union's own place is certain. */
function describe(error: SchemaError): string {
  const [, within] = /\/anyOf\/\d+(.*)$/.exec(error.schemaPath) ?? [];
  if (within === undefined) return `${pathOf(error)}: ${error.message}`;
  const depth = within.match(/\/(?:properties\/[^/]+|items)/g)?.length ?? 0;
  const path = error.instancePath.split('/');
  return `${path.slice(0, path.length - depth).join('/')}: is of none of the forms allowed here`;
}

function pathOf(error: SchemaError): string {
  return error.keyword === 'required'
    ? `${error.instancePath}/${error.params.requiredProperties.join(', ')}`
    : error.instancePath;
}

/** L1 of the model: a service names no policy that is not there, or it would be served without it. */
function requirePolicies({ services, policies }: WaypointConfiguration): void {
  services.forEach((service, index) => {
    const at = `json/services/${index}`;
    requireKeys(policies, 'authorization', service.authorization, at);
    requireKeys(policies, 'jwt', service.jwt, at);
    requireKeys(policies, 'opa', service.opa, at);
    requireKeys(policies, 'resilience', service.resilience === undefined ? [] : [service.resilience], at);
    requireKeys(policies, 'rateLimits', service.rateLimits, at);
    requireKeys(policies, 'faults', service.faults, at);
  });
}

function requireKeys(policies: L7Policies, list: keyof L7Policies, keys: readonly ObjectKey[], at: string): void {
  const absent = keys.find((key) => !Object.hasOwn(policies[list], key));
  if (absent !== undefined) refuse(`${at}/${list}: ${quoted(absent)} is not among the policies`);
}

/** Quoted and short: the text comes from the network. */
function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 200));
}
