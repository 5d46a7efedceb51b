/**
 * The proxy's side of delta discovery, without the stream (l4-contract section 3.1).
 *
 *   connected() ─▶ initial requests ─▶ recvResponse() ─▶ ACK or NACK ─▶ …   (again from connected() after a loss)
 *
 * S1  State outlives streams: a new one begins with the versions known, so that only differences are sent.
 * S2  A rejected resource is never recorded: its last good version is what the next stream is told. Of a policy without
 *     one, the name is: its receiver has to hear of its removal, since it may hold something in its stead.
 * S3  A name that is removed and sent in one response is removed (seen on the wire).
 * S4  A name asked for is pending until a resource of that name or alias arrives, or its removal.
 */
import { create } from '@bufbuild/protobuf';
import { DeltaDiscoveryRequestSchema } from '../wire/gen/xds/discovery_pb.ts';
import type { DeltaDiscoveryRequest, DeltaDiscoveryResponse, Node, Resource } from '../wire/gen/xds/discovery_pb.ts';
import { ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL } from '../wire/type-urls.ts';
import type { DeltaPush, DeltaUpsert, Rejection } from './delta-push.ts';

export type { DeltaPush, Rejection } from './delta-push.ts';

export type DeltaClientOptions = {
  readonly node: Node;
  /** Ask for addresses one by one instead of all. @default false */
  readonly onDemand?: boolean;
  /** Type URLs in the order they are asked for. @default addresses, then policies */
  readonly types?: readonly string[];
  /** Names that may be pending at a time; more are not asked for. @default 10 000 */
  readonly maxPending?: number;
};

type TypeState = {
  /** Version by name, "" where the type has none. */
  readonly known: Map<string, string>;
  acknowledged: boolean;
};

/** google.rpc.Code INVALID_ARGUMENT. */
const INVALID_ARGUMENT = 3;
/** Reasons spelt out in a NACK; the rest is counted. */
const MAX_REASONS = 100;

export class DeltaClient {
  readonly #node: Node;
  readonly #onDemand: boolean;
  readonly #maxPending: number;
  readonly #pending = new Set<string>();
  /** In the order of the initial requests. */
  readonly #types: ReadonlyMap<string, TypeState>;

  constructor(options: DeltaClientOptions) {
    this.#node = options.node;
    this.#onDemand = options.onDemand ?? false;
    this.#maxPending = options.maxPending ?? 10_000;
    const types = options.types ?? [ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL];
    this.#types = new Map(types.map((typeUrl) => [typeUrl, { known: new Map(), acknowledged: false }]));
  }

  /** True once a response of each type was acknowledged; never false again. */
  get synced(): boolean {
    return [...this.#types.values()].every((type) => type.acknowledged);
  }

  /** True while an answer to {@link ask} is due. */
  isPending(name: string): boolean {
    return this.#pending.has(name);
  }

  /** What to send on a new stream, in this order. */
  connected(): readonly DeltaDiscoveryRequest[] {
    return [...this.#types].map(([typeUrl, type]) => {
      const byName = this.#onDemand && typeUrl === ADDRESS_TYPE_URL;
      // Delta discovery has no "subscribe to nothing" but to ask for everything and take it back at once.
      const nothing = byName ? ['*'] : [];
      const pending = byName ? [...this.#pending].map((name): [string, string] => [name, '']) : [];
      return create(DeltaDiscoveryRequestSchema, {
        node: this.#node,
        typeUrl,
        resourceNamesSubscribe: nothing,
        resourceNamesUnsubscribe: nothing,
        initialResourceVersions: Object.fromEntries([...pending, ...type.known]),
      });
    });
  }

  /**
   * On demand only: asks for an address by `network/ip`, workload uid or `namespace/hostname`.
   * `undefined` when it is asked for already, is known, or too many are pending.
   */
  ask(name: string): DeltaDiscoveryRequest | undefined {
    const known = this.#types.get(ADDRESS_TYPE_URL)?.known.has(name) ?? false;
    if (!this.#onDemand || known || this.#pending.has(name) || this.#pending.size >= this.#maxPending) return undefined;
    this.#pending.add(name);
    return create(DeltaDiscoveryRequestSchema, { typeUrl: ADDRESS_TYPE_URL, resourceNamesSubscribe: [name] });
  }

  /** Applies a response, and returns the ACK, or the NACK with all reasons. `apply` keeps what it does not reject. */
  recvResponse(response: DeltaDiscoveryResponse, apply: (push: DeltaPush) => readonly Rejection[]): DeltaDiscoveryRequest {
    const { typeUrl } = response;
    const type = this.#types.get(typeUrl);
    if (type === undefined) return answer(response, [{ name: typeUrl, reason: 'this type was not asked for' }]);
    const removed = new Set(response.removedResources);
    const sent = response.resources.filter(({ name }) => !removed.has(name));
    const misfits = sent.flatMap((resource) => misfit(resource, typeUrl));
    const unusable = new Set(misfits.map(({ name }) => name));
    const upserts = sent.filter(({ name }) => !unusable.has(name)).map(upsert);
    const rejections = [...misfits, ...apply({ typeUrl, removed: [...removed], upserts })];
    const rejected = new Set(rejections.map(({ name }) => name));
    for (const name of removed) type.known.delete(name);
    for (const { name, version } of upserts) {
      if (!rejected.has(name)) type.known.set(name, version);
      else if (typeUrl === AUTHORIZATION_TYPE_URL && !type.known.has(name)) type.known.set(name, '');
    }
    if (typeUrl === ADDRESS_TYPE_URL) this.#settlePending(removed, sent);
    if (rejections.length === 0) type.acknowledged = true;
    return answer(response, rejections);
  }

  /** S4. A rejected resource settles its name too: the answer came, and asking again would not change it. */
  #settlePending(removed: ReadonlySet<string>, sent: readonly Resource[]): void {
    if (this.#pending.size === 0) return;
    for (const name of removed) this.#pending.delete(name);
    for (const { name, aliases } of sent) for (const key of [name, ...aliases]) this.#pending.delete(key);
  }
}

function answer(response: DeltaDiscoveryResponse, rejections: readonly Rejection[]): DeltaDiscoveryRequest {
  const reasons = rejections.slice(0, MAX_REASONS).map(({ name, reason }) => `${name}: ${reason}`);
  if (rejections.length > MAX_REASONS) reasons.push(`and ${rejections.length - MAX_REASONS} more`);
  return create(DeltaDiscoveryRequestSchema, {
    typeUrl: response.typeUrl,
    responseNonce: response.nonce,
    ...(rejections.length === 0 ? {} : { errorDetail: { code: INVALID_ARGUMENT, message: reasons.join(', ') } }),
  });
}

function misfit({ name, resource }: Resource, typeUrl: string): readonly Rejection[] {
  if (name === '') return [{ name, reason: 'a resource needs a name' }];
  if (resource === undefined) return [{ name, reason: 'the resource is empty' }];
  return resource.typeUrl === typeUrl ? [] : [{ name, reason: `the resource is of type ${resource.typeUrl}` }];
}

function upsert({ name, version, resource }: Resource): DeltaUpsert {
  return { name, version, value: resource?.value ?? new Uint8Array() };
}
