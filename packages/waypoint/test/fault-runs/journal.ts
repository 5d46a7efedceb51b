/**
 * The ledger's own record of one run, shared by all its replicas: what arrived, and what was booked. It counts, and it
 * deduplicates only where the policy says that the ledger does (`native`).
 */
import type { FaultKind, LedgerFault } from './fault-kinds.ts';
import type { RunPlan } from './plan.ts';

/** What a caller says of its request in header fields of its own. */
export type Told = {
  readonly run: number;
  readonly payment: number;
  /** `r17.p0.s2`, the caller's request id. */
  readonly send: string;
  readonly key: string | undefined;
  /** SHA-256 of the body as it was meant. */
  readonly digest: string;
};

export type LedgerAnswer = { readonly status: number; readonly body: string };

/** One request whose head reached a replica. */
export type Arrival = Told & {
  readonly number: number;
  readonly replica: number;
  readonly fault: LedgerFault | undefined;
  /** The replica told by protocol that it did not take it. */
  refused: boolean;
  /** The body came to its end; and it was the one that was meant. */
  whole: boolean;
  intact: boolean;
  /** It made a booking, or met the one that its key had made. */
  booked: boolean;
  /** What the replica tried to answer. */
  answered?: LedgerAnswer;
};

export type Booking = {
  readonly number: number;
  readonly payment: number;
  readonly key: string | undefined;
  readonly arrival: number;
};

export class Journal {
  readonly arrivals: Arrival[] = [];
  readonly bookings: Booking[] = [];
  readonly met: FaultKind[] = [];
  readonly #plan: RunPlan;
  readonly #note: (line: string) => void;
  readonly #seen = new Map<number, number>();
  readonly #byKey = new Map<string, LedgerAnswer>();
  #working = 0;

  constructor(plan: RunPlan, note: (line: string) => void) {
    this.#plan = plan;
    this.#note = note;
  }

  /** Requests that a replica is still busy with. */
  get working(): number {
    return this.#working;
  }

  note(line: string): void {
    this.#note(line);
  }

  meet(kind: FaultKind, where: string): void {
    this.met.push(kind);
    this.#note(`${where}: ${kind}`);
  }

  arrive(told: Told, replica: number): Arrival {
    const nth = this.#seen.get(told.payment) ?? 0;
    this.#seen.set(told.payment, nth + 1);
    const fault = this.#plan.payments[told.payment]?.faults[nth];
    const arrival: Arrival = {
      ...told,
      number: this.arrivals.length,
      replica,
      fault,
      refused: false,
      whole: false,
      intact: false,
      booked: false,
    };
    this.arrivals.push(arrival);
    this.#note(`ledger-${replica}: ${told.send} arrives as #${arrival.number}${fault === undefined ? '' : `, fault ${fault}`}`);
    if (fault !== undefined) this.met.push(fault);
    return arrival;
  }

  async work(task: () => Promise<void>): Promise<void> {
    this.#working += 1;
    try {
      await task();
    } finally {
      this.#working -= 1;
    }
  }

  /** Books the payment, and gives the answer that says so; a ledger that deduplicates gives the one it gave before. */
  book(arrival: Arrival, status: number): LedgerAnswer {
    const { key, payment } = arrival;
    arrival.booked = true;
    const known = this.#plan.policy.mode === 'native' && key !== undefined ? this.#byKey.get(key) : undefined;
    if (known !== undefined) {
      this.#note(`ledger-${arrival.replica}: #${arrival.number} is known by its key`);
      return known;
    }
    const number = this.bookings.length;
    this.bookings.push({ number, payment, key, arrival: arrival.number });
    this.#note(`ledger-${arrival.replica}: #${arrival.number} of ${arrival.send} is booked as ${number}`);
    const booked = this.#answer(payment, status, number);
    // What it would have said without its fault: whoever asks again is told that it is booked.
    if (key !== undefined) this.#byKey.set(key, this.#answer(payment, 201, number));
    return booked;
  }

  /** The answer of a ledger that did not book. */
  refuse(arrival: Arrival, status: number): LedgerAnswer {
    return this.#answer(arrival.payment, status, undefined);
  }

  #answer(payment: number, status: number, booking: number | undefined): LedgerAnswer {
    const pad = 'a'.repeat(this.#plan.payments[payment]?.answerPad ?? 0);
    return { status, body: JSON.stringify({ ledger: true, payment, booked: booking !== undefined, booking, pad }) };
  }
}
