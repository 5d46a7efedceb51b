/** What a campaign met: how often each fault occurred, and how each request ended. */
import { faultKinds } from './fault-kinds.ts';
import type { FaultKind } from './fault-kinds.ts';
import type { RunHistory, Sent } from './history.ts';
import { isConfirmed, isDefinite } from './invariants.ts';

export type Failure = { readonly run: number; readonly violations: readonly string[]; readonly lines: readonly string[] };

export type Summary = {
  readonly seed: number;
  readonly runs: number;
  readonly seconds: number;
  readonly payments: number;
  readonly requests: number;
  /** Requests whose head reached the ledger. */
  readonly arrivals: number;
  readonly bookings: number;
  readonly confirmed: number;
  /** Payments whose caller stopped without knowing, by what the ledger's journal says. */
  readonly reconciled: { readonly booked: number; readonly notBooked: number };
  /** Payments given up because a memory store ended with its waypoint. */
  readonly stoppedForMemory: number;
  readonly policies: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<FaultKind, number>>;
  readonly ends: Readonly<Record<string, number>>;
  /** Faults that never occurred. */
  readonly missing: readonly FaultKind[];
  readonly failures: readonly Failure[];
};

export class Tally {
  readonly #failures: Failure[] = [];
  readonly #policies = new Map<string, number>();
  readonly #faults = new Map<FaultKind, number>(faultKinds.map((kind) => [kind, 0]));
  readonly #ends = new Map<string, number>();
  #runs = 0;
  #payments = 0;
  #requests = 0;
  #arrivals = 0;
  #bookings = 0;
  #confirmed = 0;
  #booked = 0;
  #notBooked = 0;
  #stoppedForMemory = 0;

  get runs(): number {
    return this.#runs;
  }

  get failures(): readonly Failure[] {
    return this.#failures;
  }

  count(history: RunHistory, violations: readonly string[]): void {
    const { plan, sends, arrivals, bookings, met, lines } = history;
    this.#runs += 1;
    this.#payments += plan.payments.length;
    this.#requests += sends.length;
    this.#arrivals += arrivals.length;
    this.#bookings += bookings.length;
    this.#stoppedForMemory += history.stoppedForMemory;
    const { mode, store, retriesAll } = plan.policy;
    add(this.#policies, `${mode === 'key' ? `key in ${store}` : mode}, ${retriesAll ? 'every' : 'default'} retry condition`);
    for (const kind of met) add(this.#faults, kind);
    for (const sent of sends) add(this.#ends, endOf(sent));
    for (const payment of plan.payments.keys()) this.#reconcile(history, payment);
    if (violations.length > 0) this.#failures.push({ run: plan.run, violations, lines });
  }

  summary(seed: number, seconds: number): Summary {
    const faults = Object.fromEntries(this.#faults) as Record<FaultKind, number>;
    return {
      seed,
      runs: this.#runs,
      seconds,
      payments: this.#payments,
      requests: this.#requests,
      arrivals: this.#arrivals,
      bookings: this.#bookings,
      confirmed: this.#confirmed,
      reconciled: { booked: this.#booked, notBooked: this.#notBooked },
      stoppedForMemory: this.#stoppedForMemory,
      policies: sorted(this.#policies),
      faults,
      ends: sorted(this.#ends),
      missing: faultKinds.filter((kind) => faults[kind] === 0),
      failures: this.#failures,
    };
  }

  /** What somebody finds who compares the caller's books with the ledger's. */
  #reconcile({ sends, bookings }: RunHistory, payment: number): void {
    const own = sends.filter((sent) => sent.payment === payment && !sent.changed);
    if (own.some(isConfirmed)) this.#confirmed += 1;
    else if (own.some(leavesDoubt)) {
      if (bookings.some((booking) => booking.payment === payment)) this.#booked += 1;
      else this.#notBooked += 1;
    }
  }
}

function leavesDoubt({ end }: Sent): boolean {
  if (end.kind === 'answer') return !isDefinite(end) && end.outcome !== 'not-dispatched';
  return end.kind !== 'not-sent';
}

/** Such as `unknown: 504 request-timeout`. */
function endOf({ end, changed }: Sent): string {
  if (changed) return `changed body: ${end.kind === 'answer' ? `${end.status} ${end.denied ?? ''}`.trim() : end.kind}`;
  if (end.kind === 'broken') return end.status === undefined ? 'broken: no answer' : 'broken: in the answer';
  if (end.kind === 'left') return `caller left: ${end.how}`;
  if (end.kind !== 'answer') return end.kind;
  const { status, outcome, denied, replayed, bodyOmitted } = end;
  if (denied !== undefined) return `${outcome ?? 'no outcome'}: ${status} ${denied}`;
  return `ledger: ${status}${replayed ? ' replayed' : ''}${bodyOmitted ? ' without its body' : ''}`;
}

function add<T>(counts: Map<T, number>, name: T): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

function sorted(counts: ReadonlyMap<string, number>): Readonly<Record<string, number>> {
  return Object.fromEntries([...counts].sort(([one], [other]) => one.localeCompare(other)));
}
