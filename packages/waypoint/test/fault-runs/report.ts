/** A campaign for the terminal. */
import type { Failure, Summary } from './tally.ts';

export function formatSummary(summary: Summary): string {
  const { seed, runs, seconds, payments, requests, arrivals, bookings, confirmed, reconciled, failures, missing } = summary;
  const facts = {
    'runs, seed': `${runs}, ${seed}`,
    seconds: seconds.toFixed(1),
    payments,
    'requests of callers': requests,
    'requests at the ledger': arrivals,
    bookings,
    'payments confirmed': confirmed,
    'payments to reconcile, booked': reconciled.booked,
    'payments to reconcile, not booked': reconciled.notBooked,
    'payments stopped, memory store lost': summary.stoppedForMemory,
    'runs with violations': failures.length,
  };
  const parts = [
    table('summary', facts),
    table('policies', summary.policies),
    table('faults', summary.faults),
    table('ends', summary.ends),
    ...failures.map((failure) => formatFailure(seed, failure)),
  ];
  if (missing.length > 0) parts.push(`never met: ${missing.join(', ')}`);
  return `${parts.join('\n\n')}\n`;
}

/** Everything that is needed to see it again. */
export function formatFailure(seed: number, { run, violations, lines }: Failure): string {
  return [`run ${run} (--seed ${seed} --run ${run})`, ...violations, ...lines.map((line) => `  ${line}`)].join('\n');
}

function table(title: string, rows: Readonly<Record<string, string | number>>): string {
  const entries = Object.entries(rows).map(([name, value]) => [name, String(value)] as const);
  const names = Math.max(...entries.map(([name]) => name.length));
  const values = Math.max(...entries.map(([, value]) => value.length));
  return [title, ...entries.map(([name, value]) => `  ${name.padEnd(names)}  ${value.padStart(values)}`)].join('\n');
}
