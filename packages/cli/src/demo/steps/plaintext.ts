import type { Step } from '../step.ts';
import { pay } from '../payment.ts';
import { bankAddresses, secretBytes, secrets } from '../world.ts';
import type { World } from '../world.ts';

export const plaintext: Step<World> = {
  name: 'Before the mesh: plaintext',
  why: 'Whoever holds the wire between two nodes reads every payment, and anybody in the cluster may ask the ledger.',
  check: async (world, signal) => {
    await using tap = await world.tap();
    const payment = await pay(world, signal);
    const stranger = await world.ask('default/stranger-0', 'GET', '/try', signal);
    const wire = await tap.report({ pods: bankAddresses(world), secrets: secretBytes() });
    const strangerHeard = stranger.body['answered'] === true;
    const sample = wire.plaintextSamples.find(({ text }) => secrets.every((secret) => text.includes(secret)));
    const seen = secrets.filter((_secret, index) => wire.secretsSeen.some((sighting) => sighting.secret === index));
    return {
      ok: payment.booked && strangerHeard && wire.plaintextBytes > 0 && seen.length === secrets.length,
      facts: [
        `the link carried ${wire.plaintextBytes} bytes of one payment in clear`,
        `read off it: ${/\{[^{}]*\}/.exec(sample?.text ?? '')?.[0] ?? 'nothing readable'}`,
        strangerHeard ? 'stranger-0 asked the ledger as well, and was answered' : 'stranger-0 was not answered',
      ],
    };
  },
};
