/**
 * One pod's questions: answered from the mesh, or asked of another resolver (l4-contract section 10).
 *
 *   message ─▶ read ─▶ own workload ─▶ resolve ─┬─ known ───▶ answer
 *              │            │ unknown           └─ unknown ─▶ others ─┬─ answered ─▶ as it came
 *              ▼            ▼                                         └─ failed ───▶ SERVFAIL
 *     FORMERR, NOTIMP,    SERVFAIL
 *        BADVERS
 *
 * A1  Whatever a message holds, it costs one answer at most; no failure gets out of here.
 * A2  So many questions of a pod are worked at and no more; one above is answered with SERVFAIL at once.
 */
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { IpAddress, SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { Workload } from '@clearmesh/shared/model/workload';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { PodName, SnapshotSource } from '@clearmesh/shared/snapshot/snapshot';
import type { Found } from './other-resolvers.ts';
import { codeOf, internetClass, rcode, readQuery, recordType, relayed, writeAnswer, writeRefusal } from './message.ts';
import type { Query } from './message.ts';
import { resolveName } from './resolve-name.ts';
import type { NamingOptions, Resolution } from './resolve-name.ts';

export type DnsProtocol = 'udp' | 'tcp';

/** How a pod asked. */
export type Asking = {
  readonly protocol: DnsProtocol;
  /** The server that it asked, before it was redirected to us; absent or `undefined` where that is not known. */
  readonly server?: () => SocketAddress | undefined;
};

/** What metrics know of a question. */
export type DnsFacts = { readonly type: number; readonly protocol: DnsProtocol; readonly source: Workload | undefined };

export interface DnsMetrics {
  /** Calls back what became of a question that goes on to another resolver. */
  forwarded(facts: DnsFacts): (outcome: 'answered' | 'failed') => void;
  asked(facts: DnsFacts): void;
  /** A2. */
  overloaded(): void;
}

export type ResponderOptions = NamingOptions & {
  readonly pod: PodName;
  /** Questions of the pod worked at. @default 512 */
  readonly maxQuestions?: number;
};

export type ResponderDeps = {
  readonly snapshots: SnapshotSource & {
    /** The pod's own workload; `undefined` when it is not known in time. */
    awaitWorkload(pod: PodName, signal: AbortSignal): Promise<Workload | undefined>;
  };
  /** The answer of another resolver, now or later; rejects when there is none in time. */
  readonly askOthers: (query: Query, asking: Asking, signal: AbortSignal) => Found;
  readonly metrics: DnsMetrics;
  readonly random: Random;
  /** The dns scope. */
  readonly log: Logger;
};

/** Without EDNS, too (where RFC 1035 says 512): it never leaves the pod, and this is what programs know from Istio's proxy. */
const datagramLimit = 4_096;
const streamLimit = 65_535;
/** As upstream's log has it, and what it has not. */
const results = { asked: 'forwarded', shared: 'forwarded for an equal one', held: 'answered before' } as const;

export class DnsResponder {
  readonly #options: ResponderOptions;
  readonly #maxQuestions: number;
  readonly #deps: ResponderDeps;
  #questions = 0;

  constructor(options: ResponderOptions, deps: ResponderDeps) {
    this.#options = options;
    this.#maxQuestions = options.maxQuestions ?? 512;
    this.#deps = deps;
  }

  /** Questions worked at now. */
  get size(): number {
    return this.#questions;
  }

  /** The answer to a message, or `undefined` for one that deserves none. A1. */
  async respond(message: Uint8Array, asking: Asking, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const read = readQuery(message);
    if (read.kind === 'nothing') return undefined;
    if (read.kind === 'refused') return writeRefusal(read.header, read.code);
    const { query } = read;
    // RFC 6891 section 6.1.3: whoever the name belongs to, since what such a message means is not known.
    if (query.edns !== undefined && query.edns.version > 0) return failure(query, rcode.badVersion);
    if (this.#questions >= this.#maxQuestions) {
      this.#deps.metrics.overloaded();
      return failure(query);
    }
    this.#questions++;
    try {
      return await this.#answer(query, asking, signal);
    } catch (error) {
      this.#deps.log.debug('a DNS query failed', { query: query.question.name, error: reasonOf(error) });
      return failure(query);
    } finally {
      this.#questions--;
    }
  }

  async #answer(query: Query, asking: Asking, signal: AbortSignal): Promise<Uint8Array> {
    const { snapshots, metrics } = this.#deps;
    const source = await snapshots.awaitWorkload(this.#options.pod, signal);
    const facts: DnsFacts = { type: query.question.type, protocol: asking.protocol, source };
    metrics.asked(facts);
    if (source === undefined) {
      this.#record(query, source, 'unknown source');
      return failure(query);
    }
    const resolution = this.#resolve(query, source);
    if (resolution.kind === 'unknown') return this.#forward(query, asking, facts, signal);
    const { hostname, alias } = resolution;
    const addresses = shuffled(resolution.addresses, this.#deps.random);
    this.#record(query, source, 'success', hostname, addresses);
    const answer = { code: rcode.noError, addresses, ...(alias === undefined ? {} : { alias }) };
    return writeAnswer(query, answer, limitOf(query, asking));
  }

  #resolve({ question: { name, type, class: asked } }: Query, source: Workload): Resolution {
    const family = type === recordType.a ? 4 : type === recordType.aaaa ? 6 : undefined;
    if (family === undefined || name === undefined || asked !== internetClass) return { kind: 'unknown' };
    return resolveName({ name, family }, source, this.#deps.snapshots.current, this.#options);
  }

  async #forward(query: Query, asking: Asking, facts: DnsFacts, signal: AbortSignal): Promise<Uint8Array> {
    const found = this.#deps.askOthers(query, asking, signal);
    const settle = found.kind === 'asked' ? this.#deps.metrics.forwarded(facts) : (): void => {};
    try {
      const answer = await found.answer;
      settle('answered');
      this.#record(query, facts.source, `${results[found.kind]}, rcode ${codeOf(answer)}`);
      return relayed(answer, query);
    } catch (error) {
      settle('failed');
      this.#record(query, facts.source, `forwarding failed: ${reasonOf(error)}`);
      return failure(query);
    }
  }

  #record(query: Query, source: Workload | undefined, result: string, domain?: string, endpoints?: readonly IpAddress[]): void {
    this.#deps.log.debug('DNS query', {
      'src.workload': source?.name ?? this.#options.pod.name,
      'src.namespace': source?.namespace ?? this.#options.pod.namespace,
      query: query.question.name,
      type: query.question.type,
      domain,
      result,
      endpoints: endpoints?.join(','),
    });
  }
}

function failure(query: Query, code: number = rcode.serverFailure): Uint8Array {
  return writeAnswer(query, { code, addresses: [] }, datagramLimit);
}

function limitOf({ edns }: Query, { protocol }: Asking): number {
  return protocol === 'tcp' ? streamLimit : Math.min(edns?.payload ?? datagramLimit, datagramLimit);
}

/** Fisher and Yates: each order is as likely, so that the first address is not everybody's. */
function shuffled(addresses: readonly IpAddress[], random: Random): readonly IpAddress[] {
  const left = [...addresses];
  const order: IpAddress[] = [];
  while (left.length > 0) order.push(...left.splice(Math.floor(random.unit() * left.length), 1));
  return order;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
