/** Node metadata from the environment (l4-contract section 3.1). */
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { MeshError } from '../observe/mesh-error.ts';

const text = 'ISTIO_META_';
const json = 'ISTIO_METAJSON_';

/** `ISTIO_META_X=plum` gives `X: "plum"`, `ISTIO_METAJSON_Y={"a":1}` gives `Y: { a: 1 }`; unparsable JSON is refused. */
export function nodeMetadata(env: Readonly<Record<string, string | undefined>>): JsonObject {
  const metadata: JsonObject = {};
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined) continue;
    if (name.startsWith(json)) metadata[name.slice(json.length)] = parse(name, value);
    else if (name.startsWith(text)) metadata[name.slice(text.length)] = value;
  }
  return metadata;
}

/** Extra request headers: `XDS_HEADER_x-extra=one` gives `x-extra: one`; likewise `CA_HEADER_`. */
export function extraHeaders(
  prefix: 'XDS_HEADER_' | 'CA_HEADER_',
  env: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && name.startsWith(prefix)) headers[name.slice(prefix.length).toLowerCase()] = value;
  }
  return headers;
}

function parse(name: string, value: string): JsonValue {
  try {
    return JSON.parse(value) as JsonValue;
  } catch {
    throw new MeshError('MESH-CONFIG-003', {
      message: `${name}=${JSON.stringify(value)} is no JSON`,
      hint: 'Set it to a JSON value, or use ISTIO_META_ for plain text.',
    });
  }
}
