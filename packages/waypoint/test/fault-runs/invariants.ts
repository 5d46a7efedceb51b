/**
 * What must hold in every run, whatever failed (l7-and-resilience C1, C10): pure, from the ledger's journal and from what
 * the callers were told.
 *
 * V1  No payment is booked twice; what nobody deduplicates reaches the ledger once at most.
 * V2  Every payment that was confirmed is booked, exactly once.
 * V3  `not-dispatched`: the ledger never had that request.
 * V4  A definite answer is the ledger's own, and says of the booking what is true.
 * V5  A replay equals the first answer.
 * V6  Every request is answered, or its connection visibly ends, in time.
 * V7  When all is over, nothing is taken any more.
 * V8  No part of a request is ever taken for the whole.
 * V9  Whoever is told of an error is told its outcome, and the access log says the same, once.
 */
import type { RunHistory, Sent } from './history.ts';
import type { Arrival } from './journal.ts';
import type { Answered } from './send.ts';

type Told = Sent & { readonly end: Answered };

/** Sentences, none for a run in which everything held. */
export function violations(history: RunHistory): readonly string[] {
  const { plan } = history;
  return [
    ...plan.payments.flatMap((_payment, payment) => paidOnce(history, payment)),
    ...history.sends.flatMap((sent) => [...sentTruly(history, sent), ...loggedTruly(history, sent)]),
    ...plan.payments.flatMap((_payment, payment) => replaysOf(history, payment)),
    ...history.arrivals.flatMap(({ whole, intact, number }) =>
      whole && !intact ? [`V8: the body of arrival #${number} is not the one that was sent`] : [],
    ),
    ...history.left.map((line) => `V7: ${line} is still taken`),
  ];
}

/** V1, V2. */
function paidOnce({ plan, bookings, arrivals, sends }: RunHistory, payment: number): string[] {
  const found: string[] = [];
  const booked = bookings.filter((booking) => booking.payment === payment).length;
  const came = taken(arrivals).filter((arrival) => arrival.payment === payment);
  if (booked > 1) found.push(`V1: payment ${payment} is booked ${booked} times`);
  // Mode native repeats on purpose, and only under a key.
  const deduplicated = plan.policy.mode === 'native' && plan.payments[payment]?.keyed === true;
  if (!deduplicated && came.length > 1) found.push(`V1: payment ${payment} reached the ledger ${came.length} times`);
  const confirmed = sends.find((sent) => sent.payment === payment && !sent.changed && isConfirmed(sent));
  if (confirmed !== undefined && booked !== 1) found.push(`V2: ${confirmed.id} is confirmed, and booked ${booked} times`);
  return found;
}

/** V3, V4, V6, and for changed bodies V1. */
function sentTruly({ arrivals }: RunHistory, sent: Sent): string[] {
  const { end, id } = sent;
  const came = taken(arrivals).filter((arrival) => arrival.send === id);
  switch (end.kind) {
    case 'silent':
      return [`V6: ${id} got neither answer nor end within ${Math.round(sent.tookMs)} ms`];
    case 'not-sent':
      return came.length === 0 ? [] : [`V3: ${id} was never sent, and reached the ledger`];
    case 'broken':
    case 'left':
      return [];
    case 'answer':
      if (sent.changed && came.length > 0) return [`V1: ${id} reached the ledger under the key of another request`];
      if (end.outcome === 'not-dispatched')
        return came.length === 0 ? [] : [`V3: ${id} is told not-dispatched (${end.denied}), and reached the ledger`];
      return isDefinite(end) ? definite(sent as Told, came, arrivals) : [];
  }
}

/** V4. @param came of this request alone */
function definite({ id, end, payment, key }: Told, came: readonly Arrival[], arrivals: readonly Arrival[]): string[] {
  if (end.bodyOmitted) return [];
  const said = bookedBy(end.body);
  if (said === undefined) return [`V4: ${id} is answered ${end.status} by nobody: ${end.body.slice(0, 100)}`];
  if (!end.replayed && came.length === 0) return [`V4: ${id} is answered, and never reached the ledger`];
  const all = taken(arrivals).filter((arrival) => arrival.payment === payment && arrival.key === key);
  const books = all.some(({ booked }) => booked);
  if (said && !books) return [`V4: ${id} is told that it is booked, which it is not`];
  // Several attempts of mode native: the answer of one says nothing of another that comes late.
  if (!said && books && all.length === 1) return [`V4: ${id} is told that it is not booked, which it is`];
  return [];
}

/** V5. */
function replaysOf({ plan, sends, arrivals }: RunHistory, payment: number): string[] {
  if (plan.policy.mode !== 'key') return [];
  const answered = taken(arrivals).find((arrival) => arrival.payment === payment)?.answered;
  return sends.flatMap((sent) => {
    const { end } = sent;
    if (sent.payment !== payment || end.kind !== 'answer' || !end.replayed) return [];
    if (answered === undefined) return [`V5: ${sent.id} is a replay of an answer that there never was`];
    const same = end.status === answered.status && (end.bodyOmitted || end.body === answered.body);
    return same ? [] : [`V5: ${sent.id} is a replay with ${end.status}, the answer was ${answered.status}`];
  });
}

/** V9. */
function loggedTruly({ logged }: RunHistory, { id, end }: Sent): string[] {
  const lines = logged.get(id) ?? [];
  if (lines.length > 1) return [`V9: ${id} has ${lines.length} lines in the access log`];
  if (end.kind !== 'answer') return [];
  // The servers' own parsers answer before there is a request.
  if (lines.length === 0) return [`V9: ${id} is answered ${end.status}, and has no line in the access log`];
  const told = end.outcome ?? 'completed';
  return lines[0] === told ? [] : [`V9: ${id} is told ${told}, the access log says ${lines[0]}`];
}

function taken(arrivals: readonly Arrival[]): readonly Arrival[] {
  return arrivals.filter(({ refused }) => !refused);
}

/** The ledger's own words, first-hand or replayed. */
export function isDefinite({ outcome }: Answered): boolean {
  return outcome === undefined || outcome === 'completed';
}

export function isConfirmed({ end }: Pick<Sent, 'end'>): boolean {
  return end.kind === 'answer' && isDefinite(end) && end.status >= 200 && end.status < 300;
}

/** `undefined`: not an answer of the ledger. */
function bookedBy(body: string): boolean | undefined {
  try {
    const { ledger, booked } = JSON.parse(body) as { readonly ledger?: boolean; readonly booked?: boolean };
    return ledger === true ? booked === true : undefined;
  } catch {
    return undefined;
  }
}
