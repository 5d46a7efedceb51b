import { delay } from '@clearmesh/shared/lifecycle/clock';
import { duration } from '../../terminal/layout.ts';
import { askBalance } from '../balance.ts';
import type { Balance } from '../balance.ts';
import { balancesOf, orderDrill } from '../ledger-side.ts';
import type { Step } from '../step.ts';
import { backendView } from '../waypoint-status.ts';
import { ledgers } from '../world.ts';
import type { World } from '../world.ts';

const [, failing] = ledgers;
/** Questions at a time, so that both replicas get some. */
const atOnce = 10;
const waves = 3;
const questions = atOnce * waves;
const always = 1_000_000;
const pollMs = 50;

export const ejection: Step<World> = {
  name: 'A failing replica is ejected; when all fail, the breaker opens',
  why: 'What may be asked twice is asked elsewhere; a replica that keeps failing is left alone, and a ledger that fails altogether is not beaten further.',
  check: async (world, signal) => {
    await orderDrill(world, failing, { mode: 'fail', count: always }, signal);
    const before = await balancesOf(world, failing, signal);
    const answers: Balance[] = [];
    let ejected = 0;
    for (let i = 0; i < waves; i++) {
      answers.push(...(await Promise.all(Array.from({ length: atOnce }, () => askBalance(world, signal)))));
      ejected = Math.max(ejected, (await backendView(world, 'balances', signal)).ejected);
    }
    const answered = answers.filter((answer) => answer.answered).length;
    const taken = (await balancesOf(world, failing, signal)) - before;

    for (const pod of ledgers) await orderDrill(world, pod, { mode: 'fail', count: always }, signal);
    const opened = await untilBreaker(world, 'open', signal);
    const spared = await askBalance(world, signal);

    for (const pod of ledgers) await orderDrill(world, pod, { mode: 'none' }, signal);
    const mended = world.clock.monotonicMs();
    const closed = await untilBreaker(world, 'closed', signal);
    const afterwards = await askBalance(world, signal);
    return {
      ok: answered === questions && ejected === 1 && spared.headers['x-mesh-denied'] === 'breaker-open' && afterwards.answered,
      facts: [
        `ledger-1 answers nothing but 500: ${answered} of ${questions} questions answered, ledger-1 took ${taken} of them and was ejected (${ejected} of ${ledgers.length} endpoints)`,
        `both fail: the breaker was open after ${opened} questions, and the next one was refused in ${duration(spared.afterMs)} without asking anybody (${spared.headers['x-mesh-denied'] ?? spared.by})`,
        `both mended: ${closed} questions and ${duration(world.clock.monotonicMs() - mended)} later one probe had closed it, ${afterwards.answered ? `answered by ${afterwards.by}` : afterwards.by}`,
      ],
    };
  },
};

/** Asks until the breaker is in a state; gives how many questions that took. */
async function untilBreaker(world: World, state: string, signal: AbortSignal): Promise<number> {
  for (let asked = 0; ; asked++) {
    const { breakers } = await backendView(world, 'balances', signal);
    if (breakers.length > 0 && breakers.every((each) => each === state)) return asked;
    const { answered } = await askBalance(world, signal);
    // Open: nothing but time brings the probe nearer.
    if (!answered && state === 'closed') await delay(world.clock, pollMs, signal);
  }
}
