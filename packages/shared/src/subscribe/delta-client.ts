/**
 * The proxy's side of delta discovery, without the stream (l4-contract section 3.1).
 *
 *   connected() ─▶ initial requests ─▶ recvResponse() ─▶ ACK or NACK ─▶ …   (again from connected() after a loss)
 *
 * S1  State outlives streams: a new one begins with the versions known, so that only differences are sent.
 * S2  A rejected resource is never recorded: its last good version is what the next stream is told. Of a policy without
 *     one, the name is: its receiver has to hear of its removal, since it may hold something in its stead.
 * S3  A name that is removed and sent in one response is removed (seen on the wire).
 * S4  A name asked for is pending until a resource of that name or alias arrives, or its removal. Then it stays subscribed:
 *     what it stands for is told as it changes, also when it was nothing. A new stream is told of it, until it is given up.
 */
import { create } from '@bufbuild/protobuf';
import { DeltaDiscoveryRequestSchema } from '../wire/gen/xds/discovery_pb.ts';
import type { DeltaDiscoveryRequest, DeltaDiscoveryResponse, Node, Resource } from '../wire/gen/xds/discovery_pb.ts';
import { ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL } from '../wire/type-urls.ts';
import { AskedNames } from './asked-names.ts';
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
  /** Names that may be subscribed to at a time. @default 90 000 */
  readonly maxNames?: number;
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
  /** Absent where everything is subscribed to. */
  readonly #asked: AskedNames | undefined;
  /** In the order of the initial requests. */
  readonly #types: ReadonlyMap<string, TypeState>;

  constructor(options: DeltaClientOptions) {
    this.#node = options.node;
    this.#asked = options.onDemand === true ? new AskedNames(options) : undefined;
    const types = options.types ?? [ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL];
    this.#types = new Map(types.map((typeUrl) => [typeUrl, { known: new Map(), acknowledged: false }]));
  }

  /** True once a response of each type was acknowledged; never false again. */
  get synced(): boolean {
    return [...this.#types.values()].every((type) => type.acknowledged);
  }

  /** What became of {@link ask}; `undefined` for a name that was not asked for. */
  stateOf(name: string): 'pending' | 'answered' | undefined {
    return this.#asked?.stateOf(name);
  }

  /** What to send on a new stream, in this order. */
  connected(): readonly DeltaDiscoveryRequest[] {
    return [...this.#types].map(([typeUrl, type]) => {
      const asked = typeUrl === ADDRESS_TYPE_URL ? this.#asked : undefined;
      // Delta discovery has no "subscribe to nothing" but to ask for everything and take it back at once.
      const nothing = asked === undefined ? [] : ['*'];
      const named = (asked?.connected() ?? []).map((name): [string, string] => [name, '']);
      return create(DeltaDiscoveryRequestSchema, {
        node: this.#node,
        typeUrl,
        resourceNamesSubscribe: nothing,
        resourceNamesUnsubscribe: nothing,
        initialResourceVersions: Object.fromEntries([...named, ...type.known]),
      });
    });
  }

  /**
   * On demand only: wants an address by `network/ip`, workload uid or `namespace/hostname`, and what becomes of it. Of what
   * is known by that very name no answer is due. False when too many are, or are pending.
   */
  ask(name: string): boolean {
    return this.#asked?.ask(name, this.#types.get(ADDRESS_TYPE_URL)?.known.has(name) ?? false) ?? false;
  }

  /** Counts as answered although nothing came: what was sent before need not be sent again. */
  assume(name: string): void {
    this.#asked?.recvAnswers([name]);
  }

  /** Wants it no more. What stood for it alone is removed by the answer, if anything did. */
  giveUp(name: string): void {
    this.#asked?.giveUp(name);
  }

  /** What was asked for and given up since the last request, in one; `undefined` when there is nothing to say. */
  takeRequest(): DeltaDiscoveryRequest | undefined {
    const change = this.#asked?.takeChange();
    if (change === undefined) return undefined;
    const { subscribe, unsubscribe } = change;
    return create(DeltaDiscoveryRequestSchema, {
      typeUrl: ADDRESS_TYPE_URL,
      resourceNamesSubscribe: [...subscribe],
      resourceNamesUnsubscribe: [...unsubscribe],
    });
  }

  /** Names that were answered since this was called last. */
  takeAnswered(): readonly string[] {
    return this.#asked?.takeAnswered() ?? [];
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
    if (typeUrl === ADDRESS_TYPE_URL) this.#asked?.recvAnswers(answeredBy(removed, sent));
    if (rejections.length === 0) type.acknowledged = true;
    return answer(response, rejections);
  }
}

/** S4. A rejected resource answers its name too: the answer came, and asking again would not change it. */
function* answeredBy(removed: ReadonlySet<string>, sent: readonly Resource[]): Generator<string> {
  yield* removed;
  for (const { name, aliases } of sent) {
    yield name;
    yield* aliases;
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
