/** Short forms of discovery messages and published resources. */
import { create } from '@bufbuild/protobuf';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { PublishedResource, ResourceSet } from '@clearmesh/shared/subscribe/resource-set';
import { DeltaDiscoveryRequestSchema, DeltaDiscoveryResponseSchema } from '@clearmesh/shared/wire/gen/xds/discovery_pb';
import type { DeltaDiscoveryRequest, DeltaDiscoveryResponse } from '@clearmesh/shared/wire/gen/xds/discovery_pb';
import { ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL } from '@clearmesh/shared/wire/type-urls';

type RequestInit = Omit<MessageInitShape<typeof DeltaDiscoveryRequestSchema>, '$typeName'>;

export function request(init: RequestInit = {}, typeUrl: string = ADDRESS_TYPE_URL): DeltaDiscoveryRequest {
  return create(DeltaDiscoveryRequestSchema, { typeUrl, ...init });
}

export function ack(response: DeltaDiscoveryResponse | undefined, refusal?: string): DeltaDiscoveryRequest {
  const errorDetail = refusal === undefined ? {} : { errorDetail: { code: 3, message: refusal } };
  return request({ responseNonce: response?.nonce ?? '', ...errorDetail }, response?.typeUrl);
}

export type Sent = Readonly<
  Record<string, { readonly version?: string; readonly value?: string; readonly aliases?: readonly string[] }>
>;

/** A response with resources by name. */
export function response(
  resources: Sent,
  removedResources: readonly string[] = [],
  typeUrl: string = ADDRESS_TYPE_URL,
): DeltaDiscoveryResponse {
  return create(DeltaDiscoveryResponseSchema, {
    typeUrl,
    nonce: `nonce-${Object.keys(resources).join('+')}`,
    removedResources: [...removedResources],
    resources: Object.entries(resources).map(([name, { version = '', value = name, aliases = [] }]) => ({
      name,
      version,
      aliases: [...aliases],
      resource: { typeUrl, value: new TextEncoder().encode(value) },
    })),
  });
}

/** Content as text: `name: 'content'`, its version derived from it; aliases behind bars, what it stands behind after `>`, its node after `@`. */
export function published(
  addresses: Readonly<Record<string, string>>,
  policies: Readonly<Record<string, string>> = {},
): ResourceSet {
  return new Map([
    [ADDRESS_TYPE_URL, resources(addresses)],
    [AUTHORIZATION_TYPE_URL, resources(policies)],
  ]);
}

function resources(contents: Readonly<Record<string, string>>): ReadonlyMap<string, PublishedResource> {
  const entries = Object.entries(contents).map(([name, text]): [string, PublishedResource] => {
    const [content = '', ...others] = text.split('|');
    const behind = others.filter((other) => other.startsWith('>')).map((other) => other.slice(1));
    const node = others.find((other) => other.startsWith('@'))?.slice(1) ?? '';
    const aliases = others.filter((other) => !/^[>@]/.test(other));
    return [name, { version: `v-${content}`, value: new TextEncoder().encode(content), aliases, behind, node }];
  });
  return new Map(entries);
}

/** What a response says, for comparison. */
export function said(given: DeltaDiscoveryResponse | undefined): {
  readonly sent: Readonly<Record<string, string>>;
  readonly removed: readonly string[];
} {
  const sent = (given?.resources ?? []).map(({ name, resource }): [string, string] => [
    name,
    new TextDecoder().decode(resource?.value),
  ]);
  return { sent: Object.fromEntries(sent), removed: given?.removedResources ?? [] };
}
