/** A question that moves no money: payments-0 asks the ledger for a balance. */
import type { World } from './world.ts';

export type Balance = {
  readonly answered: boolean;
  /** Which replica answered, or why none did. */
  readonly by: string;
  /** As payments saw it, milliseconds. */
  readonly afterMs: number;
  /** `x-mesh-…` headers of the answer. */
  readonly headers: Readonly<Record<string, string>>;
};

export async function askBalance(world: Pick<World, 'ask'>, signal: AbortSignal): Promise<Balance> {
  const { status, body } = await world.ask('payments/payments-0', 'GET', '/balance', signal);
  const { headers = {}, afterMs } = body;
  const answered = status === 200;
  const by = String(answered ? body['pod'] : body['error']);
  return { answered, by, afterMs: Number(afterMs), headers: headers as Balance['headers'] };
}
