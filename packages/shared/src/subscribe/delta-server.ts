/**
 * The control plane's side of delta discovery for one stream, without the stream (l4-contract section 3.1).
 *
 *   per type:  current ── response ──▶ awaiting ACK ── ACK or NACK ──▶ current
 *                                      └ publish: nothing; the ACK is answered with all that changed since
 *
 * V1  At most one response of a type is in flight, and nothing queues behind it: a client that does not answer
 *     costs the memory of one state, whatever is published meanwhile.
 * V2  The first request of a type is answered at once, if only by an empty response: the client counts it as synced.
 * V3  A NACK is remembered and not argued with: the resource is sent again when it changes.
 */
import { create } from '@bufbuild/protobuf';
import { DeltaDiscoveryResponseSchema } from '../wire/gen/xds/discovery_pb.ts';
import type { DeltaDiscoveryRequest, DeltaDiscoveryResponse } from '../wire/gen/xds/discovery_pb.ts';
import { ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL } from '../wire/type-urls.ts';
import type { ResourceSet, Resources } from './resource-set.ts';
import { Subscription } from './subscription.ts';
import type { Difference } from './subscription.ts';

export type { ResourceSet } from './resource-set.ts';

export type DeltaServerOptions = {
  /** Types served; requests for others are not answered. @default addresses and authorizations */
  readonly types?: readonly string[];
  /** Types whose resources carry no version. @default authorizations, as istiod */
  readonly unversionedTypes?: readonly string[];
  /** Names one client may ask for, per type. @default 100 000 */
  readonly maxNames?: number;
  /** The node of the client; who asks by name gets what runs there unasked. @default none */
  readonly node?: string | undefined;
};

/** What a client refused last. */
export type Nack = { readonly nonce: string; readonly message: string };

type Flight = { readonly kind: 'current' } | { readonly kind: 'awaiting'; readonly nonce: string };

type TypeStream = { readonly typeUrl: string; readonly subscription: Subscription; flight: Flight; nack?: Nack };

const nothing: Resources = new Map();

export class DeltaServerStream {
  readonly #types: ReadonlySet<string>;
  readonly #unversioned: ReadonlySet<string>;
  readonly #maxNames: number;
  readonly #node: string | undefined;
  readonly #streams = new Map<string, TypeStream>();
  #sent = 0;

  constructor(options: DeltaServerOptions = {}) {
    this.#types = new Set(options.types ?? [ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL]);
    this.#unversioned = new Set(options.unversionedTypes ?? [AUTHORIZATION_TYPE_URL]);
    this.#maxNames = options.maxNames ?? 100_000;
    this.#node = options.node;
  }

  /** True while no response awaits its ACK or NACK. */
  get settled(): boolean {
    return [...this.#streams.values()].every(({ flight }) => flight.kind === 'current');
  }

  /** The last refusal of this type on this stream; a later ACK does not clear it. */
  lastNack(typeUrl: string): Nack | undefined {
    return this.#streams.get(typeUrl)?.nack;
  }

  /** Takes in a subscription, ACK or NACK; `resources` is what is published now. */
  recvRequest(request: DeltaDiscoveryRequest, resources: ResourceSet): readonly DeltaDiscoveryResponse[] {
    const stream = this.#streams.get(request.typeUrl);
    if (stream === undefined) return this.#recvFirst(request, resources);
    recvAnswer(stream, request);
    stream.subscription.recvNames({ subscribe: request.resourceNamesSubscribe, unsubscribe: request.resourceNamesUnsubscribe });
    return this.#advance(stream, resources);
  }

  /** Brings every subscribed type up to date, except where an answer is due first (V1). */
  publish(resources: ResourceSet): readonly DeltaDiscoveryResponse[] {
    return [...this.#streams.values()].flatMap((stream) => this.#advance(stream, resources));
  }

  /** V2. */
  #recvFirst(request: DeltaDiscoveryRequest, resources: ResourceSet): readonly DeltaDiscoveryResponse[] {
    const { typeUrl } = request;
    if (!this.#types.has(typeUrl)) return [];
    const subscription = new Subscription(
      { subscribe: request.resourceNamesSubscribe, unsubscribe: request.resourceNamesUnsubscribe },
      request.initialResourceVersions,
      { unversioned: this.#unversioned.has(typeUrl), maxNames: this.#maxNames, node: this.#node },
    );
    const stream: TypeStream = { typeUrl, subscription, flight: { kind: 'current' } };
    this.#streams.set(typeUrl, stream);
    return [this.#respond(stream, subscription.difference(resources.get(typeUrl) ?? nothing))];
  }

  #advance(stream: TypeStream, resources: ResourceSet): readonly DeltaDiscoveryResponse[] {
    if (stream.flight.kind === 'awaiting') return [];
    const difference = stream.subscription.difference(resources.get(stream.typeUrl) ?? nothing);
    return difference.changed.size + difference.removed.length === 0 ? [] : [this.#respond(stream, difference)];
  }

  #respond(stream: TypeStream, { changed, removed }: Difference): DeltaDiscoveryResponse {
    const { typeUrl, subscription } = stream;
    const versioned = !this.#unversioned.has(typeUrl);
    this.#sent += 1;
    const nonce = `n${this.#sent}`;
    stream.flight = { kind: 'awaiting', nonce };
    return create(DeltaDiscoveryResponseSchema, {
      typeUrl,
      nonce,
      removedResources: [...removed],
      resources: [...changed].map(([name, { version, value, aliases }]) => ({
        name,
        version: versioned ? version : '',
        resource: { typeUrl, value: value as Uint8Array<ArrayBuffer> },
        aliases: subscription.wildcard ? [] : [...aliases],
      })),
    });
  }
}

/** A nonce that is not the one in flight answers something older, and changes nothing. */
function recvAnswer(stream: TypeStream, { responseNonce, errorDetail }: DeltaDiscoveryRequest): void {
  if (stream.flight.kind !== 'awaiting' || responseNonce !== stream.flight.nonce) return;
  if (errorDetail !== undefined) stream.nack = { nonce: responseNonce, message: errorDetail.message };
  stream.flight = { kind: 'current' };
}
