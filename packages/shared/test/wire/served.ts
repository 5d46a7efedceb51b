/** Reads resources in the normal form of the recordings: proto field names, enums by name, addresses as text. */
import { fromJson } from '@bufbuild/protobuf';
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { ipToBytes } from '@clearmesh/shared/model/ip-address';
import { ip } from '@clearmesh/shared/testing/builders';
import { AuthorizationSchema } from '@clearmesh/shared/wire/gen/security/authorization_pb';
import type { Authorization } from '@clearmesh/shared/wire/gen/security/authorization_pb';
import { AddressSchema } from '@clearmesh/shared/wire/gen/workload/workload_pb';
import type { Address } from '@clearmesh/shared/wire/gen/workload/workload_pb';

export function addressFromServed(resource: JsonObject): Address {
  return fromJson(AddressSchema, rewrite(resource));
}

/** There, rules are called groups and clauses rules. */
export function authorizationFromServed(resource: JsonObject): Authorization {
  const { groups, ...rest } = resource;
  const rules = Array.isArray(groups) ? groups.map((group) => ({ clauses: (group as { rules?: JsonValue[] }).rules ?? [] })) : [];
  return fromJson(AuthorizationSchema, rewrite({ ...rest, rules }));
}

function rewrite(value: JsonValue, key = ''): JsonValue {
  if (Array.isArray(value)) return value.map((item) => rewrite(item, key));
  if (typeof value === 'object' && value !== null) {
    // The wrapper of `capacity` is a bare number in proto JSON.
    if (key === 'capacity') return value['value'] ?? 0;
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, rewrite(item, name)]));
  }
  const address = (key === 'address' || key === 'addresses') && typeof value === 'string';
  return address ? Buffer.from(ipToBytes(ip(value))).toString('base64') : value;
}
