/** A connection that is refused before it is known whom it joins. */
import type { RefusalStatus } from '@clearmesh/shared/tunnel/engine';
import type { InboundRejected } from '../resolve/inbound.ts';
import type { DenialReason, ResponseFlag } from './connection-cut.ts';

export type RefusalInit = {
  /** The word it is counted by. */
  readonly reason: DenialReason;
  readonly message: string;
  /** What a CONNECT is answered with. @default 503 */
  readonly status?: Exclude<RefusalStatus, 401>;
  /** @default '-' */
  readonly flag?: ResponseFlag;
};

export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly reason: DenialReason;
  readonly status: Exclude<RefusalStatus, 401>;
  readonly flag: ResponseFlag;

  constructor(init: RefusalInit) {
    super(init.message);
    this.reason = init.reason;
    this.status = init.status ?? 503;
    this.flag = init.flag ?? '-';
  }
}

/** A request that no proxy of this mesh would send. */
export function badRequest(message: string): Refusal {
  return new Refusal({ reason: 'bad-request', message, status: 400 });
}

/** A target that resolution rejected. */
export function refusalOf({ status, reason }: InboundRejected): Refusal {
  return new Refusal({ reason: status === 400 ? 'bad-request' : 'no-target', message: reason, status });
}
