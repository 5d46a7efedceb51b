/** The ledger seen from inside its pods: what is in its journals, and drills on order. */
import type { World } from './world.ts';
import { ledgers } from './world.ts';

export type Drill = { readonly mode: 'none' | 'die-after-body' | 'fail' | 'slow'; readonly count?: number };

/** Entries in all journals: of one key, or of every one. */
export async function journalled(world: Pick<World, 'ask'>, signal: AbortSignal, key?: string): Promise<number> {
  let sum = 0;
  for (const pod of ledgers) {
    const { body } = await world.ask(pod, 'GET', '/journal', signal);
    const counts = body['counts'] as Readonly<Record<string, number>>;
    sum += key === undefined ? Number(body['entries']) : (counts[key] ?? 0);
  }
  return sum;
}

/** Balance questions that a pod has taken in its process's life, failed ones included. */
export async function balancesOf(world: Pick<World, 'ask'>, pod: string, signal: AbortSignal): Promise<number> {
  return Number((await world.ask(pod, 'GET', '/journal', signal)).body['balances']);
}

/** Orders a fault from a replica of the ledger; `none` ends it. */
export async function orderDrill(world: Pick<World, 'ask'>, pod: string, drill: Drill, signal: AbortSignal): Promise<void> {
  const { status, body } = await world.ask(pod, 'POST', '/drill', signal, { body: drill });
  if (status !== 200) throw new Error(`${pod} takes no drill: ${String(body['error'])}`);
}
