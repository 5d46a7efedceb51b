import { delay } from '@clearmesh/shared/lifecycle/clock';
import { duration } from '../../terminal/layout.ts';
import { askBalance } from '../balance.ts';
import type { Balance } from '../balance.ts';
import type { Step } from '../step.ts';
import { pay } from '../payment.ts';
import type { World } from '../world.ts';

const experiment = 'FaultExperiment ledger/slow-balances';
const file = 'drills/slow-balances.yaml';
const delayMs = 300;
const ttlSeconds = 3;
const pollMs = 20;
const namespace = { kind: 'Namespace', name: 'ledger' };
const environment = ['metadata', 'labels', 'clearmesh.io/environment'];

export const drill: Step<World> = {
  name: 'A fault drill ends by itself, and never starts in production',
  why: 'Two people, a test environment, an end that needs nobody: and money is never part of a drill, even there.',
  check: async (world, signal) => {
    const usual = await askBalance(world, signal);
    await world.write(file, manifest(world.clock.now()));
    const slow = await untilBalance(world, ({ headers }) => headers['x-mesh-fault'] === experiment, signal);
    const payment = await pay(world, signal);
    const over = await untilBalance(world, ({ headers }) => headers['x-mesh-fault'] === undefined, signal);
    await world.edit(namespace, [{ path: environment, value: 'production' }]);
    const finding = await untilRefused(world, signal);
    await world.write(file, undefined);
    await world.edit(namespace, [{ path: environment, value: 'test' }]);
    const spared = payment.booked && payment.headers['x-mesh-fault'] === undefined && payment.afterMs < delayMs;
    return {
      ok: slow.afterMs >= delayMs && spared && over.answered && over.afterMs < delayMs && finding.includes('no test environment'),
      facts: [
        `${file} saved, owner dora, approver alice: a balance takes ${duration(slow.afterMs)} instead of ${duration(usual.afterMs)}, marked x-mesh-fault: ${slow.headers['x-mesh-fault'] ?? 'nothing'}`,
        `a payment meanwhile: ${payment.booked ? `booked after ${duration(payment.afterMs)}` : payment.error}, no drill touches class money-movement`,
        `after ${ttlSeconds} s it is over, and nobody did anything: ${duration(over.afterMs)}`,
        `with the namespace labelled production it is refused: ${finding}`,
      ],
    };
  },
};

function manifest(nowMs: number): string {
  return `# A drill: balances are slow for ${ttlSeconds} seconds.
apiVersion: clearmesh.io/v1alpha1
kind: FaultExperiment
metadata: { name: slow-balances, namespace: ledger }
spec:
  targetRefs: [{ kind: Service, group: '', name: balances }]
  startsAt: '${new Date(nowMs).toISOString()}'
  ttl: ${ttlSeconds}s
  owner: dora
  approver: alice
  percent: 100
  delay: ${delayMs}ms
`;
}

async function untilBalance(world: World, fits: (balance: Balance) => boolean, signal: AbortSignal): Promise<Balance> {
  for (;;) {
    const balance = await askBalance(world, signal);
    if (fits(balance)) return balance;
    await delay(world.clock, pollMs, signal);
  }
}

/** What the control plane says against the drill, once it does. */
async function untilRefused(world: World, signal: AbortSignal): Promise<string> {
  for (;;) {
    const { rejections } = await world.status();
    const found = rejections.find(({ object }) => object === experiment);
    if (found !== undefined) return `${found.field} ${found.message}`;
    await delay(world.clock, pollMs, signal);
  }
}
