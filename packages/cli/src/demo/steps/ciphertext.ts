import { tlsFacts } from '../wire.ts';
import type { Step } from '../step.ts';
import { pay } from '../payment.ts';
import type { World } from '../world.ts';

const payments = 5;

export const ciphertext: Step<World> = {
  name: 'After it: ciphertext only',
  why: 'Every connection between the two nodes is TLS 1.3, keys agreed with a post-quantum group first.',
  check: async (world, signal) => {
    let booked = 0;
    for (let i = 0; i < payments; i++) if ((await pay(world, signal)).booked) booked++;
    const report = await world.ask('customer-analytics/analytics-0', 'GET', '/report', signal);
    const wire = await world.heard();
    const { versions, firstGroups, groups } = tlsFacts(wire.tlsStreams);
    const sealed = wire.plaintextBytes === 0 && wire.secretsSeen.length === 0;
    return {
      ok:
        booked === payments &&
        report.body['answered'] === true &&
        sealed &&
        versions.join() === 'TLSv1.3' &&
        firstGroups.join() === 'X25519MLKEM768',
      facts: [
        `${booked} of ${payments} payments booked, ${wire.bytes} bytes on the link, ${wire.plaintextBytes} of them in clear`,
        `${wire.tlsStreams.length} TLS connections: ${versions.join(', ') || 'no version'} agreed, ${firstGroups.join(', ') || 'no group'} offered first, ${groups.join(', ') || 'none'} agreed`,
      ],
    };
  },
};
