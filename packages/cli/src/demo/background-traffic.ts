/** What the bank does all day, so that the live table has something to show: payments, questions, reports, and now and then a refusal. */
import { delay } from '@clearmesh/shared/lifecycle/clock';
import type { World } from './world.ts';

type Habit = { readonly pod: string; readonly method: 'GET' | 'POST'; readonly path: string; readonly everyMs: number };

const habits: readonly Habit[] = [
  { pod: 'payments/payments-0', method: 'POST', path: '/pay', everyMs: 400 },
  { pod: 'payments/payments-0', method: 'GET', path: '/balance', everyMs: 1000 },
  { pod: 'customer-analytics/analytics-0', method: 'GET', path: '/report', everyMs: 1500 },
  { pod: 'payments/payments-0', method: 'GET', path: '/report', everyMs: 4000 },
  { pod: 'default/stranger-0', method: 'GET', path: '/try', everyMs: 5000 },
];

/** Keeps the bank busy until `signal` aborts; failures are what the table shows, not an end of it. */
export async function keepBusy(world: Pick<World, 'ask' | 'clock'>, signal: AbortSignal): Promise<void> {
  await Promise.all(habits.map((habit) => repeat(world, habit, signal)));
}

async function repeat(world: Pick<World, 'ask' | 'clock'>, habit: Habit, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await world.ask(habit.pod, habit.method, habit.path, signal).catch(() => {});
    await delay(world.clock, habit.everyMs, signal).catch(() => {});
  }
}
