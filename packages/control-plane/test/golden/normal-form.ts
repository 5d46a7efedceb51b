/** Resources in the form in which golden data is recorded: proto field names, defaults left out, addresses as text, sorted keys. */
import { toJson } from '@bufbuild/protobuf';
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { ipFromBytes } from '@clearmesh/shared/model/ip-address';
import { authorizationMessage } from '@clearmesh/shared/wire/authorization';
import { AuthorizationSchema } from '@clearmesh/shared/wire/gen/security/authorization_pb';
import { AddressSchema } from '@clearmesh/shared/wire/gen/workload/workload_pb';
import { serviceAddress, workloadAddress } from '@clearmesh/shared/wire/wds';
import type { MeshModel } from '../../src/derive/mesh-model.ts';

/** Resources by `<kind> <resource name>`. */
export function normalForm(model: MeshModel): Record<string, JsonValue> {
  const written = { useProtoFieldName: true };
  return Object.fromEntries([
    ...model.workloads.map((w) => [`address ${w.uid}`, plain(toJson(AddressSchema, workloadAddress(w), written))]),
    ...model.services.map((s) => [`address ${s.key}`, plain(toJson(AddressSchema, serviceAddress(s), written))]),
    ...model.policies.map((p) => [
      `authorization ${p.key}`,
      upstreamNames(plain(toJson(AuthorizationSchema, authorizationMessage(p), written))),
    ]),
  ]) as Record<string, JsonValue>;
}

/** Bytes are addresses everywhere in these messages; enum values that were recorded by other names do not occur. */
function plain(value: JsonValue, key = ''): JsonValue {
  if (Array.isArray(value)) return value.map((entry) => plain(entry, key));
  // JSON writes a wrapper as what it wraps.
  if (key === 'capacity' && typeof value === 'number') return { value };
  if (typeof value === 'string') return key === 'addresses' || key === 'address' ? addressText(value) : value;
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, plain(entry, name)]));
}

function addressText(base64: string): string {
  return ipFromBytes(Buffer.from(base64, 'base64')) ?? base64;
}

/** Upstream calls the levels of a policy groups → rules → matches; they are rules → clauses → matches here, by the same numbers. */
function upstreamNames(policy: JsonValue): JsonValue {
  const { rules, ...rest } = policy as { rules?: readonly JsonObject[] } & JsonObject;
  if (rules === undefined) return rest;
  return { ...rest, groups: rules.map(({ clauses }) => (clauses === undefined ? {} : { rules: clauses })) };
}
