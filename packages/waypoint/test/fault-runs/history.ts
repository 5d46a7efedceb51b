/** What is known of one run when it is over; everything that is judged is judged from here. */
import type { FaultKind } from './fault-kinds.ts';
import type { Arrival, Booking } from './journal.ts';
import type { RunPlan } from './plan.ts';
import type { SendEnd } from './send.ts';

/** One request of a caller. */
export type Sent = {
  /** The request's id: `r17.p0.s2`. */
  readonly id: string;
  readonly payment: number;
  readonly key: string | undefined;
  /** Another amount under the key of a payment that is done. */
  readonly changed: boolean;
  readonly end: SendEnd;
  readonly tookMs: number;
};

export type RunHistory = {
  readonly plan: RunPlan;
  readonly sends: readonly Sent[];
  readonly arrivals: readonly Arrival[];
  readonly bookings: readonly Booking[];
  readonly met: readonly FaultKind[];
  /** Payments given up because a memory store ended with its waypoint: what it protected, nobody protects then. */
  readonly stoppedForMemory: number;
  /** Outcomes in the access logs, by request id. */
  readonly logged: ReadonlyMap<string, readonly string[]>;
  /** What was still taken when everything had ended, such as `waypoint-0: requests 1`. */
  readonly left: readonly string[];
  /** What happened, in order, with times. */
  readonly lines: readonly string[];
};
