/** Peers that spoke for others and may not: each claim is counted, and each peer is mentioned once. */
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import { spiffeId } from '@clearmesh/shared/identity/spiffe';
import type { Workload } from '@clearmesh/shared/model/workload';
import type { Logger } from '@clearmesh/shared/observe/log';

export type IgnoredCallersOptions = {
  /** Peers remembered as mentioned; beyond it further ones are counted only. @default 1 000 */
  readonly maxMentioned?: number;
};

export type IgnoredCallersDeps = {
  readonly metrics: { callerIgnored(): void };
  readonly logger: Logger;
};

/** One for the whole node. */
export class IgnoredCallers {
  readonly #maxMentioned: number;
  readonly #deps: IgnoredCallersDeps;
  readonly #mentioned = new Set<SpiffeId>();

  constructor(options: IgnoredCallersOptions, deps: IgnoredCallersDeps) {
    this.#maxMentioned = options.maxMentioned ?? 1_000;
    this.#deps = deps;
  }

  /** @param header as it came, of whoever wrote it */
  recvIgnored(peer: SpiffeId, header: string, workload: Workload): void {
    const { metrics, logger } = this.#deps;
    metrics.callerIgnored();
    if (this.#mentioned.has(peer) || this.#mentioned.size >= this.#maxMentioned) return;
    this.#mentioned.add(peer);
    logger.warn('a peer that is no waypoint of the destination speaks for another; policy sees the peer itself', {
      'src.identity': peer,
      'src.caller': header.slice(0, 200),
      'dst.identity': spiffeId(workload),
    });
  }
}
