import { duration } from '../../terminal/layout.ts';
import type { Step } from '../step.ts';
import { firstPayment } from '../payment.ts';
import { bankNamespaces, bankPods } from '../world.ts';
import type { World } from '../world.ts';

export const enrolment: Step<World> = {
  name: 'One label joins the mesh',
  why: 'A label on the namespace captures its pods while they run: no sidecar, no restart, no change in the services.',
  check: async (world, signal) => {
    const processes = (): string => bankPods.map((key) => pidOf(world, key)).join(' ');
    const before = processes();
    // From before the first tunnel, so that the capture has every handshake.
    await world.listen();
    const started = world.clock.monotonicMs();
    const label = { path: ['metadata', 'labels', 'istio.io/dataplane-mode'], value: 'ambient' };
    for (const name of bankNamespaces) await world.edit({ kind: 'Namespace', name }, [label]);
    await world.until((pods) => pods.filter((pod) => pod.redirection === 'enabled').length === bankPods.length, signal);
    const captured = world.clock.monotonicMs() - started;
    await world.known(signal);
    await firstPayment(world, signal);
    const paid = world.clock.monotonicMs() - started;
    const kept = processes() === before;
    return {
      ok: kept,
      facts: [
        `istio.io/dataplane-mode: ambient on ${bankNamespaces.join(', ')}`,
        `${bankPods.length} pods captured and acknowledged by their proxies after ${duration(captured)}, first payment through the mesh after ${duration(paid)}`,
        kept ? 'every process kept running' : 'a process was restarted',
      ],
    };
  },
};

function pidOf(world: World, key: string): string {
  const { process } = world.pod(key);
  return process.kind === 'running' ? String(process.child.pid) : process.kind;
}
