/** Our own extension of a service, both ways. Extensions of others are passed over, as others pass over ours. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { maxConnectAttempts } from '../model/service.ts';
import type { EndpointChoice } from '../model/service.ts';
import { EndpointChoiceSchema } from './gen/endpoint/choice_pb.ts';
import type { Extension, ExtensionSchema } from './gen/workload/workload_pb.ts';
import { refuse } from './rejected.ts';

const name = 'clearmesh.io/endpoint-choice';
const typeUrl = 'type.googleapis.com/clearmesh.endpoint.v1.EndpointChoice';

/** `undefined` without the extension. A number of attempts beyond what a proxy does is brought within it. */
export function decodeEndpointChoice(extensions: readonly Extension[]): EndpointChoice | undefined {
  const found = extensions.find((extension) => extension.name === name)?.config;
  if (found === undefined) return undefined;
  if (found.typeUrl !== typeUrl) return refuse(`extensions: ${name} is of type ${found.typeUrl}`);
  try {
    const { leastRequest, connectAttempts } = fromBinary(EndpointChoiceSchema, found.value);
    return { leastRequest, connectAttempts: Math.min(Math.max(1, connectAttempts), maxConnectAttempts) };
  } catch (error) {
    return refuse(`extensions: ${name} cannot be decoded: ${String(error)}`);
  }
}

export function encodeEndpointChoice(choice: EndpointChoice): MessageInitShape<typeof ExtensionSchema> {
  const value = toBinary(EndpointChoiceSchema, create(EndpointChoiceSchema, choice));
  return { name, config: { typeUrl, value } };
}
